//! The little Markdown that a check’s prose uses.

use serde::Serialize;

use crate::render::html::words::visible_cut;

/// A paragraph or a list of a check's prose.
#[derive(Clone, Serialize)]
pub(in crate::render::html) struct Block {
    list: bool,
    items: Vec<Vec<Span>>,
}

#[derive(Clone, Serialize)]
pub(super) struct Span {
    code: bool,
    text: String,
}

/// The little Markdown that a check's prose uses: paragraphs, lists, code.
pub(in crate::render::html) fn prose(text: &str) -> Vec<Block> {
    text.replace("\r\n", "\n")
        .split("\n\n")
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .map(|p| {
            let list = p.lines().all(|l| l.starts_with("- ") || l.starts_with("  "));
            if list {
                let mut items: Vec<String> = Vec::new();
                for line in p.lines() {
                    match (line.strip_prefix("- "), items.last_mut()) {
                        (None, Some(item)) => {
                            item.push(' ');
                            item.push_str(line.trim());
                        }
                        (start, _) => items.push(start.unwrap_or(line).trim().to_owned()),
                    }
                }
                Block { list, items: items.iter().map(|i| spans(i)).collect() }
            } else {
                Block { list, items: vec![spans(&p.lines().collect::<Vec<_>>().join(" "))] }
            }
        })
        .collect()
}

/// A line in which backticks mark code.
pub(super) fn spans(line: &str) -> Vec<Span> {
    line.split('`')
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(i, part)| Span { code: i % 2 == 1, text: visible_cut(part, 4_000) })
        .collect()
}
