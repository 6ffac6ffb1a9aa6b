//! What of a rejected record may be shown: its beginning, without anything that looks like a secret.

use std::sync::LazyLock;

use regex::Regex;

/// Characters of an excerpt.
const LENGTH: usize = 160;

static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)((?:pass(?:word|wd|code|phrase)?|pwd|secret|token|code|otp|pin|cookie|authorization|bearer|api[_-]?key|private[_-]?key)[a-z_]*["']?\s*[:= ]\s*["']?)[^\s"',;]+"#)
        .expect("a fixed pattern")
});
// Longer than any id people type, and of mixed classes: keys, hashes, signed tokens.
static OPAQUE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9+/_=.\-]{24,}").expect("a fixed pattern"));

/// The beginning of a record, fit to print.
pub fn excerpt(record: &str) -> String {
    let start: String = record.chars().take(LENGTH * 2).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let named = NAMED.replace_all(&start, "$1[removed]");
    let clean = OPAQUE.replace_all(&named, |m: &regex::Captures<'_>| {
        let text = &m[0];
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
        let like_address = text.matches('.').count() > 1 && digits < 4;
        if digits >= 4 && letters >= 4 && !like_address { "[removed]".to_owned() } else { text.to_owned() }
    });
    let cut: String = clean.chars().take(LENGTH).collect();
    if clean.chars().count() > LENGTH { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn secrets_go_and_ids_stay() {
        let text =
            excerpt("E1,okta,password: hunter2,eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0,ann@corp.example");
        assert_eq!(text, "E1,okta,password: [removed],[removed],ann@corp.example");
        assert!(excerpt(&"日本語".repeat(500)).chars().count() <= 161);
    }
}
