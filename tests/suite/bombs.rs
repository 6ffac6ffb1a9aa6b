//! Files that are small and mean much work: read in bounded memory and time, or refused.
//!
//! Each is read by the program itself, with its memory limited as `ulimit -v` does: what would need more ends it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::mutation::{gzip, zipped};

/// Kilobytes of address space: stacks and arenas of threads that are never touched count as well.
const ADDRESS_SPACE: u64 = 3 << 20;
/// Far more than any of them takes, on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(240);

/// What the program says of a file, and its exit code.
fn audited(name: &str, content: &[u8]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join(name), content).expect("a writable folder");
    read(folder.path(), name)
}

fn read(folder: &Path, name: &str) -> (Option<i32>, String) {
    let script = format!("ulimit -v {ADDRESS_SPACE} && exec \"$@\"");
    let started = Instant::now();
    let done = Command::new("sh")
        .args([
            "-c",
            &script,
            "sh",
            env!("CARGO_BIN_EXE_regrant"),
            "audit",
            name,
            "-o",
            "out",
            "--threads",
            "2",
            "--as-of",
            "2026-10-05",
        ])
        .env("TMPDIR", folder)
        .current_dir(folder)
        .output()
        .expect("a shell");
    assert!(started.elapsed() < LONG, "{name}: {:?}", started.elapsed());
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(matches!(done.status.code(), Some(0 | 1 | 3)), "{name}: {:?}: {said}", done.status);
    assert!(!said.contains("panicked"), "{name}: {said}");
    (done.status.code(), said)
}

const EVENT: &str = r#"{"eventType":"user.account.reset_password","published":"2026-09-01T08:00:00Z","uuid":"u1","legacyEventType":"x","actor":{"id":"a","type":"User","alternateId":"dee@corp.example"},"target":[{"id":"b","type":"User","alternateId":"ann@corp.example"}],"outcome":{"result":"SUCCESS"}}"#;

#[test]
fn deep_nesting_is_no_way_into_the_stack() {
    const DEEP: usize = 100_000;
    let around = |open: &str, close: &str| format!("{}1{}", open.repeat(DEEP), close.repeat(DEEP));
    let inner = around("[", "]");
    let in_text = serde_json::json!({"_raw": around("{\"a\":", "}")}).to_string();
    let (code, said) = audited("deep.json", format!("{EVENT}\n{{\"a\":{inner}}}\n{EVENT}\n").as_bytes());
    assert_eq!(code, Some(3), "{said}");
    audited("deep-objects.json", format!("{EVENT}\n{}\n", around("{\"a\":", "}")).as_bytes());
    audited("deep-text.json", format!("{EVENT}\n{in_text}\n{EVENT}\n").as_bytes());
    audited("only-open.json", "[".repeat(1 << 20).as_bytes());
    let elements = around("<a>", "</a>");
    audited(
        "deep.xml",
        format!("<Event>{elements}</Event><Event><System><EventID>1</EventID></System></Event>").as_bytes(),
    );
    audited("deep-report.xml", elements.as_bytes());
    // Text that is JSON that is text that is JSON: each level doubles its backslashes, so that sixteen are a megabyte.
    let mut wrapped = EVENT.to_owned();
    for _ in 0..14 {
        wrapped = serde_json::json!({"_raw": wrapped}).to_string();
    }
    audited("wrapped.json", format!("{EVENT}\n{wrapped}\n").as_bytes());
    let mut nested = zipped(&[("okta.json", EVENT.as_bytes())]);
    for _ in 0..30 {
        nested = zipped(&[("n.zip", &nested)]);
    }
    let (code, said) = audited("nested.zip", &nested);
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn long_lines_and_cells_take_linear_time() {
    let long = "x".repeat(60 << 20);
    // What a file is has to be told by what stands in its first MiB.
    let text = format!("{EVENT}\n{}\n", EVENT.replace("u1", "u2").replace("\"x\"", &format!("\"{long}\"")));
    let (code, said) = audited("line.json", text.as_bytes());
    assert_eq!(code, Some(0), "{said}");
    audited(
        "cell.csv",
        format!("occurred_at,system,action,target,reason\n2026-09-01T08:00:00Z,okta,password-reset,a,\"{long}")
            .as_bytes(),
    );
    audited(
        "lines.csv",
        format!(
            "occurred_at,system,action,target,reason\n2026-09-01T08:00:00Z,okta,password-reset,a,\"{}",
            "y\n".repeat(8 << 20)
        )
        .as_bytes(),
    );
    audited("syslog.log", format!("<13>Sep  4 22:14:15 host app: {long}").as_bytes());
    audited("brackets.json", format!("{EVENT}\n{}", "[{\"a\":".repeat(4 << 20)).as_bytes());
    audited("quotes.json", format!("{EVENT}\n{}", "\"".repeat(8 << 20)).as_bytes());
    audited("unclosed.json", format!("{{\"Records\":[{}", "{\"a\":1},{\"b\":\n".repeat(200_000)).as_bytes());
    audited(
        "dn.ldif",
        format!("dn: cn=a\nmember: {}\n{}", "\n x".repeat(1 << 20), "member: x\n".repeat(300_000)).as_bytes(),
    );
}

#[test]
fn what_unpacks_to_very_much_is_refused_and_many_members_are_read() {
    let (code, said) = audited("bomb.json.gz", &{
        let block = gzip(&vec![b' '; 64 << 20]);
        [gzip(EVENT.as_bytes()), block.repeat(20)].concat()
    });
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("it unpacks to more than"), "{said}");
    let names: Vec<String> = (0..1_200).map(|n| format!("{n}.json")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), EVENT.as_bytes())).collect();
    let (code, said) = audited("many.zip", &zipped(&members));
    assert_eq!(code, Some(0), "{said}");
    // Two cells at opposite ends of a sheet.
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_string(0, 0, "a").and_then(|sheet| sheet.write_string(1_048_575, 16_383, "z")).expect("in range");
    audited("far.xlsx", &book.save_to_buffer().expect("in memory"));
}
