//! What of a record may be shown: text without anything that looks like a secret.
//!
//! Logs hold passwords in parameters, recovery links, tokens in headers, and people type passwords into reasons. What is named
//! as a secret goes, so does what has the form of one; a password that stands by itself in a sentence looks like any other word,
//! and stays.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// Characters of an excerpt.
const LENGTH: usize = 160;
/// What stands where a secret stood.
const REMOVED: &str = "[removed]";
/// Shorter runs are words, names and ids that people type.
const OPAQUE: usize = 24;
/// How long a secret access key of AWS is: its letters, digits, `/` and `+` give nothing else away.
const AWS_SECRET: usize = 40;

fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a fixed pattern")
}

/// The name of a secret, to where its value begins.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r#"(?ix)
        (?: pass(?:word|wort|wd|code|phrase)? | \bpw | pwd | secret | token | code | otp | pin | cookie | authorization | bearer | credentials | jwt
          | saml_?response | assertion | answer | seed | \btap | signature | (?: api | private | access | shared | recovery | signing | security )[_\ -]?key )
        [a-z0-9_.-]* (?: \\* ["'] )* \s* (?: [:=>]+ | \s ) \s*"#,
    )
});

/// The same in a sentence: words that only begin like it, and values that are no secret, stay.
static SAID: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r#"(?ix)
        (?: pass(?:word|wort|wd|code|phrase) | pwd | secret | token | authorization | bearer | credentials | jwt | api[_\ -]?key | private[_\ -]?key | access[_\ -]?key | recovery[_\ -]?key
          | cookie | \b(?: pw | code | otp | pin | tap | pass ) ) s?
        (?: [a-z0-9_-]* (?: \\* ["'] )* \s* [:=]+ \s* | \s+ (?: (?: is | was | now | to | ist | war ) \s+ )* )"#,
    )
});

/// Parameters of a link that let in whoever has them, and what stands before the `@` of one.
static LINKED: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r#"(?ix) ( [?&;\#] [a-z0-9_.\[\]-]* (?: token | code | ticket | otp | secret | sig | passw | pwd | key | auth | session | sid | assertion | saml | jwt | state | nonce
          | reset | recover | activat | invit | verif | confirm | hash | challenge ) [a-z0-9_.\[\]-]* = ) [^&\s"'\#;<>\\]+ | (://) [^/\s@"']+ : [^/\s@"']* @"#,
    )
});

/// Keys that say what they are.
static KNOWN: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk_(?:live|test)_|hv[sb]\.|AIza|ya29\.|npm_|pypi-|dop_v1_|SG\.)[A-Za-z0-9_.-]{8,}|eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?",
    )
});

static RUN: LazyLock<Regex> = LazyLock::new(|| fixed(r"[A-Za-z0-9+/_=.\-]{24,}"));

/// The beginning of a record, fit to print: rather too little of it than a secret.
pub fn excerpt(record: &str) -> String {
    let start: String = record.chars().take(LENGTH * 2).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let named = without_values(&start, &NAMED, |_, _| true);
    let linked = LINKED.replace_all(&named, "${1}${2}[removed]");
    let known = KNOWN.replace_all(&linked, REMOVED);
    let clean = RUN.replace_all(&known, |m: &regex::Captures<'_>| {
        let like_address = m[0].matches('.').count() > 1 && m[0].bytes().filter(u8::is_ascii_digit).count() < 4;
        if mixed(&m[0]) && !like_address { REMOVED.to_owned() } else { m[0].to_owned() }
    });
    let cut: String = clean.chars().take(LENGTH).collect();
    if clean.chars().count() > LENGTH { format!("{cut}…") } else { cut }
}

/// Free text of a record that is used (a reason, a category, the name of an event), without secrets.
pub fn prose(text: &str) -> Cow<'_, str> {
    let suspicious = |b: u8| b.is_ascii_digit() || matches!(b, b'_' | b'=' | b':' | b'!' | b'$' | b'@' | b'%' | b'^');
    let long = || text.split(|c: char| c.is_whitespace()).any(|word| word.len() >= OPAQUE);
    if !text.bytes().any(suspicious) && !long() {
        return Cow::Borrowed(text);
    }
    let linked = LINKED.replace_all(text, "${1}${2}[removed]");
    // `arn:aws:secretsmanager:…:secret:name` names no secret but where it is kept.
    let named = match linked.contains("arn:") {
        true => linked.clone().into_owned(),
        false => without_values(&linked, &SAID, |told, value| told.contains([':', '=']) || like_a_secret(value)),
    };
    let known = KNOWN.replace_all(&named, REMOVED);
    let out = known
        .split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '=' | '-')))
        .map(|part| {
            let run = part
                .trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '=' | '-')));
            let opaque = run.len() == AWS_SECRET && mixed(run)
                || run.split('/').any(|piece| piece.len() >= OPAQUE && mixed(piece) && !is_guid(piece));
            if opaque { format!("{REMOVED}{}", &part[run.len()..]) } else { part.to_owned() }
        })
        .collect::<String>();
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// A name or id of a record that is used. It has to stay what it is, but for what says itself to be a secret.
pub fn id(text: &str) -> Cow<'_, str> {
    // Nearly every name and id there is: nothing in it is said to be a secret, and no known key is written so.
    let marked = text.bytes().fold(false, |marked, b| marked | matches!(b, b'=' | b':'));
    // Without a way out of the loop, so that many are looked at at once.
    let hexadecimal = || text.bytes().fold(true, |all, b| all & (b.is_ascii_hexdigit() | (b == b'-')));
    if !marked && (text.len() < OPAQUE || hexadecimal()) {
        return Cow::Borrowed(text);
    }
    if !text.contains('=') && !text.contains(": ") && !text.contains("://") && text.len() < OPAQUE {
        return Cow::Borrowed(text);
    }
    let linked = LINKED.replace_all(text, "${1}${2}[removed]");
    let said = |told: &str, _: &str| told.contains('=') || told.trim_end() != told && told.contains(':');
    let named = match linked.contains("arn:") {
        true => linked.clone().into_owned(),
        false => without_values(&linked, &SAID, said),
    };
    let out = KNOWN.replace_all(&named, REMOVED);
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out.into_owned()) }
}

/// Whether a member or column of this name holds a secret itself, and not what is known of one (`passwordLastSet`).
pub fn names_a_secret(key: &str) -> bool {
    let key: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    const ENDS: [&str; 22] = [
        "password",
        "passwd",
        "passwort",
        "pwd",
        "passcode",
        "passphrase",
        "secret",
        "secrettext",
        "token",
        "otp",
        "pin",
        "privatekey",
        "secretkey",
        "accesskey",
        "apikey",
        "authorization",
        "cookie",
        "recoverycode",
        "recoverycodes",
        "bypasscodes",
        "backupcodes",
        "resetlink",
    ];
    ENDS.iter().any(|end| key.ends_with(end))
}

/// Names in which a word for a secret stands, and whose value is none: in lower case, without `_` and `-`. Whole names alone, so that
/// whatever is not listed here (`pwned_password`, `passengerPin`) goes.
const HARMLESS: [&str; 97] = [
    "answered",
    "answering",
    "assertionissuer",
    "badpasswordtime",
    "badpwdcount",
    "codec",
    "codecs",
    "coded",
    "codename",
    "codepage",
    "codeql",
    "coder",
    "compass",
    "countrycode",
    "currencycode",
    "decode",
    "decoded",
    "decoder",
    "dropping",
    "encode",
    "encoded",
    "encoder",
    "encompass",
    "errorcode",
    "eventcode",
    "exitcode",
    "footprint",
    "grouping",
    "haveibeenpwned",
    "helping",
    "hotplug",
    "httpstatuscode",
    "incomingtokentype",
    "isbadpwd",
    "keeping",
    "languagecode",
    "lastpasswordchange",
    "lastpasswordchangedatetime",
    "lastpasswordchangetimestamp",
    "mapping",
    "mappings",
    "maxpwdage",
    "minpwdage",
    "minpwdlength",
    "opinion",
    "passage",
    "passed",
    "passenger",
    "passengers",
    "passing",
    "passive",
    "passthrough",
    "passwordchanged",
    "passwordenabled",
    "passwordexpired",
    "passwordexpires",
    "passwordlastchanged",
    "passwordlastset",
    "passwordlastused",
    "passwordneverexpires",
    "passwordnextrotation",
    "passwordnotrequired",
    "passwordpolicies",
    "ping",
    "pinged",
    "pinging",
    "pinned",
    "pinpoint",
    "postalcode",
    "postcode",
    "pwdhistorylength",
    "pwdlastset",
    "pwdproperties",
    "pwned",
    "pwnedcount",
    "pwr",
    "pwsh",
    "reasoncode",
    "responsecode",
    "resultcode",
    "returncode",
    "secretariat",
    "secretary",
    "seeded",
    "shipping",
    "shopping",
    "signaturealgorithm",
    "signaturemethod",
    "signatureversion",
    "skipping",
    "spinning",
    "statuscode",
    "stopping",
    "tape",
    "tapped",
    "typing",
    "zipcode",
];

/// Is the whole name, of which a match that begins at `start` is a part, one whose value is no secret?
fn harmless(text: &str, start: usize) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let from = text[..start].char_indices().rev().take_while(|(_, c)| part(*c)).last().map_or(start, |(at, _)| at);
    let name = text[from..].split(|c| !part(c)).next().unwrap_or_default();
    // A full stop ends a sentence, too; inside of a name it makes another one of it.
    let name: String = name.trim_matches('.').chars().filter(|c| !matches!(c, '_' | '-')).collect();
    HARMLESS.binary_search(&name.to_ascii_lowercase().as_str()).is_ok()
}

/// Leaves out what stands behind each name, where `goes` agrees: it is told the name with its separator, and the value.
fn without_values(text: &str, names: &Regex, goes: impl Fn(&str, &str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(name) = names.find_at(text, at) {
        let rest = &text[name.end()..];
        let (open, value) = value(rest);
        // In "reset the password. password: x" the second word is no value but the name of one.
        let another =
            !name.as_str().contains([':', '=', '>']) && names.find(rest).is_some_and(|next| next.start() == 0);
        let stays = another || value.is_empty() || value == REMOVED || !goes(name.as_str(), value);
        if stays || harmless(text, name.start()) {
            out.push_str(&text[at..name.end()]);
            at = name.end();
            continue;
        }
        out.push_str(&text[at..name.end() + open]);
        out.push_str(REMOVED);
        at = name.end() + open + value.len();
    }
    out.push_str(&text[at..]);
    out
}

/// The value that begins here: how long its opening quotes are, and what it is.
fn value(rest: &str) -> (usize, &str) {
    let slashes = rest.bytes().take_while(|b| *b == b'\\').count();
    let quotes = rest[slashes..].bytes().take_while(|b| matches!(b, b'"' | b'\'')).count();
    let open = slashes + quotes;
    let inner = &rest[open..];
    if quotes > 0 {
        // `""` before a comma is an empty text, and no quote of a quote.
        if slashes == 0 && quotes == 2 && inner.trim_start().starts_with([',', '}', ']']) || inner.is_empty() {
            return (open, "");
        }
        let quote = &rest[..open];
        let mut from = 0;
        while let Some(found) = inner[from..].find(quote) {
            let end = from + found;
            if slashes > 0 || !inner[..end].ends_with('\\') {
                return (open, &inner[..end]);
            }
            from = end + quote.len();
        }
        return (open, inner);
    }
    match inner.chars().next() {
        Some('[') => (open, &inner[..inner.find(']').map_or(inner.len(), |end| end + 1)]),
        Some('{') => (open, &inner[..inner.find('}').map_or(inner.len(), |end| end + 1)]),
        None => (open, ""),
        Some(_) => {
            let ends = |c: char| {
                c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '&' | '<' | '>' | '|' | ')' | '}' | ']')
            };
            let word = inner.find(ends).unwrap_or(inner.len());
            let scheme = ["bearer", "basic", "digest", "negotiate", "ssws", "token"];
            let end = match scheme.contains(&inner[..word].to_lowercase().as_str()) {
                false => word,
                true => {
                    let gap = inner[word..].len() - inner[word..].trim_start().len();
                    word + gap + inner[word + gap..].find(ends).unwrap_or(inner.len() - word - gap)
                }
            };
            (open, &inner[..end])
        }
    }
}

/// A word behind "password": rather one than the rest of a sentence.
fn like_a_secret(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let marked = word.trim_end_matches(['.', '!', '?', ':']).contains(['!', '$', '@', '%', '^', '#', '*'])
        || word.ends_with('!') && digits > 0;
    let code = letters == 0
        && (4..=10).contains(&digits)
        && word.len() == digits
        && !(1990..2100).contains(&word.parse::<u32>().unwrap_or(0));
    word.len() >= 6 && (marked || digits > 0 && letters > 0 && !word.contains('-')) || code
}

/// Letters and digits as no word has them.
fn mixed(text: &str) -> bool {
    let count = |of: fn(&u8) -> bool| text.bytes().filter(of).count();
    let (digits, upper, lower) =
        (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    digits >= 4 && upper + lower >= 4 || digits >= 1 && upper >= 4 && lower >= 4
}

fn is_guid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_ids_stay() {
        let text =
            excerpt("E1,okta,password: hunter2,eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0,ann@corp.example");
        assert_eq!(text, "E1,okta,password: [removed],[removed],ann@corp.example");
        assert!(excerpt(&"日本語".repeat(500)).chars().count() <= 161);
    }

    #[test]
    fn whole_values_go_however_they_are_quoted() {
        for (record, shown) in [
            (r#"{"password":"correct horse, battery","a":1}"#, r#"{"password":"[removed]","a":1}"#),
            (r#"{"Authorization":"Bearer abc def","a":1}"#, r#"{"Authorization":"[removed]","a":1}"#),
            ("Authorization: Bearer abcdef; x=1", "Authorization: [removed]; x=1"),
            (r#""{\"secretAccessKey\":\"a b\",\"x\":1}""#, r#""{\"secretAccessKey\":\"[removed]\",\"x\":1}""#),
            (r#""{""token"":""a b"",""x"":1}""#, r#""{""token"":""[removed]"",""x"":1}""#),
            (r#"{"bypass_codes":["1234","5678"],"x":1}"#, r#"{"bypass_codes":[removed],"x":1}"#),
            (r#"{"password":"","x":"plain"}"#, r#"{"password":"","x":"plain"}"#),
            ("<Data Name=\"Password\">s p</Data>", "<Data Name=\"Password\">[removed] p</Data>"),
            ("Reset the password. password: x y", "Reset the password. password: [removed] y"),
            ("userPassword:: aHVudGVyMg==", "userPassword:: [removed]"),
            ("GET /reset?recoveryToken=abc&x=1", "GET /reset?recoveryToken=[removed]&x=1"),
            ("https://ann:pw@idp.example/x", "https://[removed]idp.example/x"),
            (r#"{"x":"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}"#, r#"{"x":"[removed]"}"#),
        ] {
            assert_eq!(excerpt(record), shown);
        }
    }

    #[test]
    fn sentences_keep_their_words() {
        for text in [
            "phone lost",
            "password reset by desk",
            "password expired",
            "User reset SECURITY_QUESTION factor",
            "forgot password 2026",
            "new phone, INC0012345",
            "token 5 lost",
            "see https://jira.corp.example/browse/INC-1234567",
            "password 90-day expiry",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "CPM Change Password",
            "ExpirationPeriod",
            "shipping: box 7",
            "日本語のパスワード 7",
        ] {
            assert_eq!(prose(text), text);
        }
        for (text, shown) in [
            ("temp password is Winter2026! until Monday", "temp password is [removed] until Monday"),
            ("password: hunter2", "password: [removed]"),
            ("pw=hunter2, told by phone", "pw=[removed], told by phone"),
            ("link https://idp.example/r?token=abc&lang=en", "link https://idp.example/r?token=[removed]&lang=en"),
            ("code 493021 read out", "code [removed] read out"),
            ("key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY made", "key [removed] made"),
            ("ghp_abcdefghijklmnop", "[removed]"),
            ("see /r/Ab3dEf7hIj9lMn1pQr5tUv8x.", "see [removed]."),
        ] {
            assert_eq!(prose(text), shown);
        }
    }

    #[test]
    fn ids_stay_what_they_are() {
        for text in [
            "CN=Token Service,OU=Apps,DC=corp",
            "ann@corp.example",
            "arn:aws:iam::1:user/x",
            "secret:ns/name",
            "https://x.example/T-1",
            "auth0|61f2a9c0d3e4b5a6978812cd",
        ] {
            assert_eq!(id(text), text);
        }
        assert_eq!(id("https://x.example/r?ticket=abc"), "https://x.example/r?ticket=[removed]");
        assert_eq!(id("ann password: abc"), "ann password: [removed]");
        assert!(names_a_secret("client_secret") && names_a_secret("Temp Password") && names_a_secret("bypass_codes"));
        assert!(!names_a_secret("passwordLastSet") && !names_a_secret("token_id") && !names_a_secret("secretId"));
    }

    #[test]
    fn words_that_only_hold_a_word_for_a_secret_keep_their_values() {
        assert!(HARMLESS.is_sorted());
        for text in [
            "pwned=1",
            "Pwned: yes",
            "{\"passengers\":4,\"shipping\":\"box 7\"}",
            "{\"errorCode\":50126,\"status_code\":200}",
            "pwdLastSet: 133700000000000000",
            "PasswordLastSet: 2026-07-01",
            "12 passed, 3 skipped",
            "secretary=Ann",
        ] {
            assert_eq!(excerpt(text), text);
            assert_eq!(prose(text), text);
            assert_eq!(id(text), text);
        }
        for (text, shown) in [
            ("pwned_password=hunter2", "pwned_password=[removed]"),
            ("pwned=1&pw=hunter2", "pwned=1&pw=[removed]"),
            ("passengerPin=1234", "passengerPin=[removed]"),
            ("pw_new=hunter2", "pw_new=[removed]"),
            ("pwd=hunter2", "pwd=[removed]"),
            ("passwordLastSet.password=hunter2", "passwordLastSet.password=[removed]"),
            ("pwdLastSetToken=hunter2", "pwdLastSetToken=[removed]"),
            ("shipping-code=hunter2", "shipping-code=[removed]"),
            ("errorCode password=hunter2", "errorCode password=[removed]"),
            ("code=493021", "code=[removed]"),
            ("\u{e9}pwned=1 token=a", "\u{e9}pwned=1 token=[removed]"),
        ] {
            assert_eq!(excerpt(text), shown);
        }
        assert_eq!(prose("pwned=1, pw=hunter2"), "pwned=1, pw=[removed]");
        assert_eq!(id("pwned=1 pw=hunter2"), "pwned=1 pw=[removed]");
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_shown(text in "(password|token=|[:= ]|[\"'\\\\\\[\\]{}]|bearer|[é日a-z0-9]{0,6}|https://|[?&@]){0,30}") {
            excerpt(&text);
            prose(&text);
            id(&text);
        }
    }
}
