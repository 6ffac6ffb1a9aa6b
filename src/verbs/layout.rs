//! Plain text for a terminal: columns, wrapping, and text from data made harmless.

use std::fmt::Write as _;

/// No line of ours is longer, unless one word is.
pub const WIDTH: usize = 80;

/// Text from data on one line: what would move the cursor, colour the terminal or reorder the text around it is
/// written out as `\u{…}`.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let steers = matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
        if c.is_control() || steers {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// The same for a text of several lines, such as an error with its help.
pub fn shown_lines(text: &str) -> String {
    text.split('\n').map(|line| shown(line.trim_end_matches('\r'))).collect::<Vec<_>>().join("\n")
}

/// At most `width` characters, the end being what tells paths apart.
pub fn tail(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().skip(length + 1 - width.max(1)).collect();
    format!("…{kept}")
}

/// Words of `text` in lines of at most [`WIDTH`] with `indent` blanks before each; each ends with a line feed. Empty
/// lines part paragraphs.
pub fn wrapped(text: &str, indent: usize) -> String {
    let mut out = String::new();
    for (number, paragraph) in text.trim().split("\n\n").enumerate() {
        if number > 0 {
            out.push('\n');
        }
        for line in lines(paragraph, WIDTH.saturating_sub(indent)) {
            let _ = writeln!(out, "{:indent$}{line}", "");
        }
    }
    out
}

fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
    }
    lines
}

/// Prose of a check or mapping: paragraphs wrapped, lines of lists and code left as they are.
pub fn prose(markdown: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let flush = |paragraph: &mut Vec<&str>, out: &mut String| {
        if !paragraph.is_empty() {
            out.push_str(&wrapped(&shown(&paragraph.join(" ")), indent));
            paragraph.clear();
        }
    };
    for line in markdown.trim().lines() {
        let list = line.starts_with(['-', '*', '|', '>', ' ']) || line.starts_with("```");
        if line.trim().is_empty() || list {
            flush(&mut paragraph, &mut out);
        }
        if list {
            let _ = writeln!(out, "{:indent$}{}", "", shown(line));
        } else if line.trim().is_empty() {
            out.push('\n');
        } else {
            paragraph.push(line);
        }
    }
    flush(&mut paragraph, &mut out);
    out
}

/// Rows in columns two blanks apart; the last column wraps at [`WIDTH`].
pub fn columns(rows: &[Vec<String>], indent: usize) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count.saturating_sub(1))
        .map(|i| rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let left = indent + widths.iter().map(|w| w + 2).sum::<usize>();
    let mut out = String::new();
    for row in rows {
        let mut line = " ".repeat(indent);
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let last = row.get(widths.len()).map_or("", String::as_str);
        // A column too narrow to read in would break every word onto a line of its own.
        for (number, part) in lines(last, WIDTH.saturating_sub(left).max(16)).into_iter().enumerate() {
            if number > 0 {
                line = " ".repeat(left);
            }
            line.push_str(&part);
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

/// A count with commas between thousands.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_data_cannot_steer_the_terminal() {
        let hostile = "a\u{1b}[31mb\u{202e}c\r\n\t\u{7f}\u{9b}0m";
        let out = shown(hostile);
        assert_eq!(out, "a\\u{1b}[31mb\\u{202e}c\\u{d}\\u{a}\\u{9}\\u{7f}\\u{9b}0m");
        assert_eq!(shown("山田太郎 <script> Zoë"), "山田太郎 <script> Zoë");
        assert_eq!(shown_lines("one\r\ntwo\u{7}"), "one\ntwo\\u{7}");
    }

    #[test]
    fn numbers_have_commas() {
        assert_eq!([0, 999, 1_000, 3_018, 12_345_678].map(number), ["0", "999", "1,000", "3,018", "12,345,678"]);
        assert_eq!(count(1, "reset", "resets"), "1 reset");
    }

    #[test]
    fn lines_fit() {
        let long = "word ".repeat(60);
        assert!(wrapped(&long, 4).lines().all(|line| line.chars().count() <= WIDTH));
        let table =
            columns(&[vec!["山田".into(), "b".into(), long.clone()], vec!["x".into(), String::new(), "y".into()]], 2);
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH && !line.ends_with(' ')));
        assert_eq!(tail("aws/2026/山田.json", 8), "…山田.json");
        assert_eq!(wrapped("a\n\nb", 2), "  a\n\n  b\n");
    }
}
