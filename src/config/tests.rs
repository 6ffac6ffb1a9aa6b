//! The config, key by key.

use super::*;

/// Every documented key, none at its default.
const FULL: &str = r#"
as_of = 2026-10-05T00:00:00Z
since = 2026-07-01
until = "2026-10-01"
title = "Example Corp, \"Q3\" \u202e 監査"
timezone = "Europe/London"
fail_on = "high"
formats = ["html", "all"]
view = "responder"
mappings = ["our-mappings"]
config_at = ""
inputs_at = "exports"

[[input]]
path = "hr/workers-*.csv"
mapping = "workday-report"
timezone = "America/New_York"
snapshot = 2026-08-01
system = "AD:Corp.Example"
time_format = "%d/%m/%Y %H:%M:%S"
date_order = "dmy"
max_age = "36h"
expected_records = 1204
optional = true

[[coverage]]
system = "Okta"
since = 2026-06-20
until = "2026-10-05T00:00:00Z"

[[input]]
path = "./exports/[ab]?.json"
snapshot = "2026-08-02"

[policy]
dormant_days = 120
verification_max_age_minutes = 12.5
approval_max_age_minutes = 1
max_credential_days = 2
bulk_targets = 3
bulk_window_minutes = 4
repeat_limit = 5
repeat_window_hours = 6
factor_pair_minutes = 7
reactivation_hours = 8
privilege_hours = 9
cascade_hours = 10
denied_hours = 11
contact_change_days = 12
notification_max_minutes = 13
roster_freshness_days = 14
approval_match_before_minutes = 0x0f
approval_match_after_minutes = 1_6
recovery_categories = []
desk_departments = ["  Service Desk ", "Élan"]
working_hours = "07:30 - 24:00"
working_days = ["sun", "Monday"]
holidays = [2026-08-31, "2026-12-25"]

[policy.approval]
self_service = true
automation = true
[policy.revocation]
human = 1
workload = 2
issued = 3
[policy.verification.levels]
TOTP = 2
"carrier pigeon" = 1
[policy.verification.required]
standard = 1
contractor = 1
workload = 1
executive = 1
privileged = 1
emergency = 1
[policy.token.channel_minutes]
email = 1
sms = 1
voice = 1
app = 1
desk = 1
postal = 1
unknown = 1
[policy.token.tier_minutes]
standard = 1
contractor = 1
executive = 1
privileged = 1
workload = 1
emergency = 1
[policy.severity]
weak-verification = "low"

[[waiver]]
id = "W-2026-014"
checks = ["weak-verification", "ticket-not-found"]
where = "system = 'legacy-erp' AND tier = 'standard'"
reason = """ERP 7
knows no second factor"""
requested_by = "ann@corp.example"
approved_by = "ciso@corp.example"
starts_on = 2026-07-01
expires_on = 2026-12-31
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("conf/regrant.toml"))
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn fault(text: &str) -> String {
    match parse(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

fn date(text: &str) -> NaiveDate {
    time::parse_date(text.as_bytes()).expect("a date")
}

#[test]
fn every_documented_key_is_read() {
    let config = good(FULL);
    let shown = |at: Option<i64>| at.map(time::format_instant);
    assert_eq!(shown(config.as_of).as_deref(), Some("2026-10-05T00:00:00Z"));
    assert_eq!(shown(config.since).as_deref(), Some("2026-06-30T23:00:00Z"));
    assert_eq!(shown(config.until).as_deref(), Some("2026-09-30T23:00:00Z"));
    assert_eq!(config.title.as_deref(), Some("Example Corp, \"Q3\" \u{202e} 監査"));
    assert_eq!(config.zone(), Tz::Europe__London);
    assert_eq!(config.fail_on, Some(Severity::High));
    assert_eq!(config.formats, ["html", "all"]);
    assert_eq!(config.view, View::Responder);
    assert_eq!(config.mapping_folders(&[]), [PathBuf::from("conf/our-mappings")]);

    let placed = Placed { config_at: String::new(), inputs_at: "exports".to_owned() };
    assert_eq!(config.placed, Some(placed));

    let coverage = &config.coverage[0];
    // Midnight in London, where it is summer.
    let said = [coverage.since, coverage.until].map(|at| at.map(time::format_instant));
    assert_eq!(
        (coverage.system.as_str(), said),
        ("okta", ["2026-06-19T23:00:00Z", "2026-10-05T00:00:00Z"].map(|t| Some(t.to_owned())))
    );
    let input = &config.inputs[0];
    assert_eq!(input.mapping.as_deref(), Some("workday-report"));
    assert_eq!(input.timezone, Some(Tz::America__New_York));
    assert_eq!(input.snapshot, Some(date("2026-08-01")));
    assert_eq!(input.system.as_deref(), Some("ad:corp.example"));
    assert_eq!(input.time_format.as_deref(), Some("%d/%m/%Y %H:%M:%S"));
    assert_eq!(input.date_order, Some(DateOrder::Dmy));
    assert_eq!(input.max_age, Some(36 * HOUR));
    assert_eq!(input.expected_records, Some(1204));
    assert!(input.optional);
    assert_eq!((input.line, config.inputs[1].line), (14, 31));
    assert_eq!(config.inputs[1].snapshot, Some(date("2026-08-02")));

    let policy = &config.policy;
    let expected = [120.0, 12.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0];
    assert_eq!(policy.scalars().into_iter().map(|(_, value)| value).collect::<Vec<_>>(), expected);
    assert_eq!(policy.scalar("verification_max_age_minutes"), Some(12.5));
    assert_eq!(policy.scalar("severity"), None);
    assert!(policy.recovery_categories.is_empty());
    assert_eq!(policy.desk_departments, ["service desk", "élan"]);
    assert_eq!(policy.working_hours, (7 * HOUR + 30 * MINUTE, DAY));
    assert_eq!(policy.working_days, [true, false, false, false, false, false, true]);
    assert_eq!(policy.holidays, BTreeSet::from([date("2026-08-31"), date("2026-12-25")]));
    assert!(policy.approval_self_service && policy.approval_automation);
    assert_eq!((policy.revocation_human, policy.revocation_workload, policy.revocation_issued), (1.0, 2.0, 3.0));
    assert_eq!(policy.levels["totp"], 2.0);
    assert_eq!(policy.levels["carrier pigeon"], 1.0);
    assert_eq!(policy.levels["fido2"], 4.0);
    for table in [&policy.required, &policy.channel_minutes, &policy.tier_minutes] {
        assert!(table.values().all(|value| *value == 1.0));
    }
    assert_eq!(policy.severity["weak-verification"], Severity::Low);

    let waiver = &config.waivers[0];
    assert_eq!(waiver.checks, ["weak-verification", "ticket-not-found"]);
    assert_eq!(waiver.reason, "ERP 7\nknows no second factor");
    assert_eq!((waiver.starts_on, waiver.expires_on), (date("2026-07-01"), date("2026-12-31")));
}

#[test]
fn the_full_sample_sets_every_key_there_is() {
    for key in TOP
        .into_iter()
        .chain(INPUT)
        .chain(COVERAGE)
        .chain(WAIVER)
        .chain(POLICY_OTHERS)
        .chain(SCALARS.map(|scalar| scalar.name))
    {
        assert!(FULL.contains(key), "{key}");
    }
}

#[test]
fn an_empty_config_is_the_default() {
    let (empty, default) = (good(""), Config::default());
    assert_eq!(empty.policy, default.policy);
    assert_eq!(empty.effective_toml(0), default.effective_toml(0));
    assert_eq!((empty.zone(), empty.timezone, empty.fail_on), (Tz::UTC, None, None));
    assert_eq!(empty.formats, ["html"]);
    assert_eq!(empty.view, View::Reviewer);
    assert_eq!(empty.base, Path::new("conf"));
    assert_eq!(Config::parse("", Path::new("regrant.toml")).map(|config| config.base), Ok(PathBuf::from(".")));
    assert!(default.policy.changed.is_empty());
    assert_eq!(good("\u{feff}fail_on = \"none\"").fail_on, None);
}

#[test]
fn the_effective_config_parses_back_to_itself() {
    for text in [FULL, "", "[policy]\ndormant_days = 0.1\n[policy.verification.levels]\n\"a\\\"b\\nc\" = 1e-7"] {
        let config = good(text);
        let at = config.as_of.unwrap_or(1_234_567_891_000_001);
        let written = config.effective_toml(at);
        let again = good(&written);
        assert_eq!(again.as_of, Some(at));
        assert_eq!((again.since, again.until, &again.title), (config.since, config.until, &config.title));
        assert_eq!(
            (again.timezone, again.fail_on, &again.formats, again.view),
            (config.timezone, config.fail_on, &config.formats, config.view)
        );
        assert_eq!((&again.policy, &again.mappings), (&config.policy, &config.mappings));
        let without_lines = |config: &Config| {
            let inputs: Vec<_> = config.inputs.iter().cloned().map(|rule| InputRule { line: 0, ..rule }).collect();
            let waivers: Vec<_> = config.waivers.iter().cloned().map(|rule| WaiverRule { line: 0, ..rule }).collect();
            format!("{inputs:?} {waivers:?}")
        };
        assert_eq!(without_lines(&again), without_lines(&config));
        assert_eq!(again.effective_toml(at), written);
    }
    assert!(!good(FULL).effective_toml(0).contains('\u{202e}'), "an override character reached run.toml");
}

#[test]
fn changed_is_what_differs_from_the_defaults() {
    let config = good(
        "policy.dormant_days = 90\npolicy.repeat_limit = 3\npolicy.verification.levels = { FIDO2 = 3, pigeon = 0 }\n\
         policy.severity.weak-verification = 'low'\npolicy.desk_departments = ['SERVICE DESK', 'Help desk', 'it support']",
    );
    let expected =
        ["repeat_limit", "severity.weak-verification", "verification.levels.fido2", "verification.levels.pigeon"];
    assert_eq!(config.policy.changed, expected);
}

#[test]
fn the_policy_as_data_has_sorted_keys_and_whole_numbers() {
    let value = good("[policy]\ncascade_hours = 1.5").policy.to_value();
    let keys: Vec<&String> = value.as_object().expect("an object").keys().collect();
    assert!(keys.is_sorted());
    assert_eq!(keys.len(), SCALARS.len() + POLICY_OTHERS.len());
    assert_eq!(value["dormant_days"].to_string(), "90");
    assert_eq!(value["cascade_hours"].to_string(), "1.5");
    assert_eq!(value["token"]["channel_minutes"]["postal"].to_string(), "30240");
    assert_eq!(value["working_hours"], "08:00-18:00");
    assert_eq!(value["severity"].to_string(), "{}");
}

#[test]
fn times_are_read_in_the_organisations_zone_wherever_it_stands() {
    let since =
        |value: &str| good(&format!("since = {value}\ntimezone = 'America/New_York'")).since.map(time::format_instant);
    for (value, expected) in [
        ("2026-07-01", "2026-07-01T04:00:00Z"),
        ("'2026-07-01'", "2026-07-01T04:00:00Z"),
        ("2026-07-01T10:00:00", "2026-07-01T14:00:00Z"),
        ("'2026-07-01 10:00'", "2026-07-01T14:00:00Z"),
        ("2026-07-01T10:00:00+02:00", "2026-07-01T08:00:00Z"),
        ("2026-07-01T10:00:00.123456789Z", "2026-07-01T10:00:00.123456Z"),
        ("2026-11-01T01:30:00", "2026-11-01T05:30:00Z"),
        ("2026-03-08T02:30:00", "2026-03-08T07:30:00Z"),
    ] {
        assert_eq!(since(value).as_deref(), Some(expected), "{value}");
    }
}

#[test]
fn the_first_glob_that_matches_wins_and_a_star_crosses_folders() {
    let config = good("input = [{path = 'hr/*.csv', system = 'a'}, {path = './*', system = 'b'}]");
    let system = |path: &str| config.input(path).and_then(|rule| rule.system.as_deref());
    assert_eq!(system("hr/2026/08/workers.csv"), Some("a"));
    assert_eq!(system("hr/workers.json"), Some("b"));
    assert!(good("input = [{path = 'hr/[ab].csv'}]").input("hr/c.csv").is_none());
}

#[test]
fn a_fault_names_its_place_what_was_found_and_what_to_do() {
    for (text, expected) in [
        (
            "title = 'x'\n[policy]\ndormant_dayz = 3",
            "conf/regrant.toml:3:1: unknown key \"dormant_dayz\" in [policy]\n  help: did you mean `dormant_days`?",
        ),
        (
            "dormant_days = 3",
            "conf/regrant.toml:1:1: unknown key \"dormant_days\" in the config\n  help: `dormant_days` belongs under [policy]",
        ),
        (
            "[[input]]\npath = 'x'\nas_of = 2026-01-01",
            "conf/regrant.toml:3:1: unknown key \"as_of\" in [[input]]\n  help: `as_of` belongs at the top, before the first table",
        ),
        (
            "[policy.token.channel_minutes]\n  pigeon = 3",
            "conf/regrant.toml:2:3: unknown key \"pigeon\" in [policy.token.channel_minutes]\n  help: the keys here are `app`, \
             `desk`, `email`, `postal`, `sms`, `unknown` and `voice`",
        ),
        (
            "timezone = 'Europe/Londn'",
            "conf/regrant.toml:1:12: `timezone` is \"Europe/Londn\", expected a zone of the IANA database\n  help: did you mean \
             `Europe/London`?",
        ),
        (
            "[policy]\ndormant_days = '90'",
            "conf/regrant.toml:2:16: `dormant_days` is \"90\", expected a number\n  help: write `dormant_days = 60`, without quotes",
        ),
        (
            "[policy]\ndormant_days = nan",
            "conf/regrant.toml:2:16: `dormant_days` is nan, expected a number from 0 to 36525\n  help: `dormant_days` is days, at \
             most a hundred years of them",
        ),
        (
            "since = 2026-10-01\nuntil = 2026-10-01",
            "conf/regrant.toml:2:9: `until` is 2026-10-01T00:00:00Z, expected an instant after `since`, 2026-10-01T00:00:00Z\n  \
             help: the period is [since, until): `until` is the first instant outside it",
        ),
        (
            "formats = ['html', 'pages']",
            "conf/regrant.toml:1:20: `formats` is \"pages\", expected `html`, `markdown`, `xlsx`, `sarif`, `ocsf`, `oscal`, `hdf`, \
             `junit`, `parquet`, `csv`, `jsonl`, `json` or `all`\n  help: choose one of these",
        ),
        (
            "\n[[waiver]]\nid = 'W'",
            "conf/regrant.toml:2:1: waiver \"W\": [[waiver]] has no `checks`\n  help: add `checks = …`; a waiver needs `id`, `checks`, `where`, \
             `reason`, `requested_by`, `approved_by`, `starts_on` and `expires_on`",
        ),
        ("title = '監査' x", "conf/regrant.toml:1:14: this is not TOML"),
    ] {
        let found = fault(text);
        assert!(found.starts_with(expected), "{text}\nfound    {found}\nexpected {expected}");
    }
}

#[test]
fn values_out_of_their_range_are_refused() {
    for text in [
        "fail_on = 'severe'",
        "fail_on = 3",
        "as_of = 10:00:00",
        "as_of = 'now'",
        "as_of = 2026",
        "timezone = 'BST+1'",
        "title = ' '",
        "formats = 'html'",
        "mappings = [1]",
        "input = 3",
        "[input]\npath = 'x'",
        "[[input]]",
        "[[input]]\npath = '[a'",
        "[[input]]\npath = 'x'\nmax_age = '2'",
        "[[input]]\npath = 'x'\nmax_age = '2m'",
        "[[input]]\npath = 'x'\nmax_age = 'd'",
        "[[input]]\npath = 'x'\nmax_age = '0d'",
        "[[input]]\npath = 'x'\nmax_age = '-2d'",
        "[[input]]\npath = 'x'\nmax_age = '9999999d'",
        "[[input]]\npath = 'x'\nmax_age = '99999999999999999999d'",
        "[[input]]\npath = 'x'\nmax_age = 2",
        "[[input]]\npath = 'x'\nexpected_records = -1",
        "[[input]]\npath = 'x'\nexpected_records = 1.5",
        "[[input]]\npath = 'x'\nexpected_records = 9223372036854775808",
        "[[input]]\npath = 'x'\ndate_order = 'ydm'",
        "[[input]]\npath = 'x'\ntime_format = '%Q'",
        "[[input]]\npath = 'x'\noptional = 'yes'",
        "[[input]]\npath = 'x'\nsnapshot = 2026-08-01T00:00:00Z",
        "[[input]]\npath = 'x'\nsnapshot = 'August'",
        "policy = 3",
        "[policy]\ndormant_days = -1",
        "[policy]\ndormant_days = inf",
        "[policy]\ndormant_days = 36526",
        "[policy]\nbulk_targets = 99999999999999999999999",
        "[policy]\nworking_hours = '8-18'",
        "[policy]\nworking_hours = '22:00-06:00'",
        "[policy]\nworking_hours = '08:00-08:00'",
        "[policy]\nworking_hours = '08:00-24:01'",
        "[policy]\nworking_hours = '08:60-18:00'",
        "[policy]\nworking_hours = '+8:00-18:00'",
        "[policy]\nworking_days = ['mo']",
        "[policy]\nholidays = ['2026-02-30']",
        "[policy]\nholidays = 2026-08-31",
        "[policy.approval]\nself_service = 1",
        "[policy.approval]\nself = true",
        "[policy.revocation]\nhumans = 1",
        "[policy.verification]\nlevel = {}",
        "[policy.verification.levels]\nTOTP = 1\ntotp = 2",
        "[policy.verification.levels]\ntotp = '2'",
        "[policy.verification.required]\nvip = 3",
        "[policy.token]\nminutes = 3",
        "[policy.severity]\nx = 'none'",
        "[policy]\ndormant_days = 1\ndormant_days = 2",
    ] {
        fault(text);
    }
}

#[test]
fn a_waiver_needs_everything_and_two_people() {
    let waiver = |from: &str, to: &str| {
        let (_, text) = FULL.split_once("[[waiver]]").expect("the sample has a waiver");
        assert!(text.contains(from), "{from}");
        format!("[[waiver]]{}", text.replace(from, to))
    };
    assert_eq!(good(&waiver("W-2026-014", "W")).waivers[0].id, "W");
    assert_eq!(good(&waiver("2026-12-31", "2026-07-01")).waivers.len(), 1);
    for key in WAIVER {
        let found = fault(&waiver(&format!("\n{key} = "), "\nnotes = "));
        assert!(found.contains("notes"), "{found}");
    }
    let found = fault(&waiver("ciso@corp.example", " ANN@corp.example"));
    assert!(
        found.contains("`approved_by` is \" ANN@corp.example\", expected someone other than `requested_by`"),
        "{found}"
    );
    assert!(fault(&waiver("2026-12-31", "2026-06-30")).contains("expected a day not before `starts_on`, 2026-07-01"));
    assert!(
        fault(&waiver("[\"weak-verification\", \"ticket-not-found\"]", "[]")).contains("`checks` is an empty list")
    );
    let found = fault(&format!("{}{}", waiver("W-2026-014", "W"), waiver("W-2026-014", "W")));
    assert!(found.contains("regrant.toml:12:6: the waiver id \"W\" is already that of line 1\n"), "{found}");
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("regrant.toml");
    let error = Config::load(&path).expect_err("nothing is there").to_string();
    assert!(error.starts_with(&format!("{}: cannot read the config: ", path.display())), "{error}");
    std::fs::write(&path, b"title = '\xff'").expect("the folder is ours");
    let error = Config::load(&path).expect_err("not UTF-8").to_string();
    assert!(error.contains("byte 9 begins no character"), "{error}");
    std::fs::write(&path, b"title = 'x'").expect("the folder is ours");
    assert_eq!(Config::load(&path).map(|config| config.base), Ok(folder.path().to_owned()));
}
