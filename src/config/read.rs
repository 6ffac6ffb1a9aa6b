//! Each table of the config, checked.

use super::*;

pub(super) fn read_config(document: &Document<'_>, root: &DeTable<'_>) -> Result<Config, ConfigError> {
    let top = Section { document, name: "the config".to_owned(), span: 0..0, entries: root };
    top.only(&TOP)?;
    let mut config = Config {
        path: Some(document.path.to_owned()),
        base: match document.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        },
        text: document.text.to_owned(),
        timezone: top.get("timezone").map(|item| item.zone()).transpose()?,
        ..Config::default()
    };
    let zone = config.zone();
    let instant = |key: &str| top.get(key).map(|item| item.instant(zone)).transpose();
    config.as_of = instant("as_of")?;
    config.since = instant("since")?;
    config.until = instant("until")?;
    if let (Some(since), Some(until), Some(item)) = (config.since, config.until, top.get("until"))
        && since >= until
    {
        let (since, until) = (time::format_instant(since), time::format_instant(until));
        return Err(item.error(
            format!("`until` is {until}, expected an instant after `since`, {since}"),
            "the period is [since, until): `until` is the first instant outside it",
        ));
    }
    config.title = top.get("title").map(|item| item.owned()).transpose()?;
    if let Some(item) = top.get("fail_on") {
        let known: Vec<(&str, Option<Severity>)> =
            [("none", None)].into_iter().chain(SEVERITIES.map(|(name, severity)| (name, Some(severity)))).collect();
        config.fail_on = item.one_of(&known)?;
    }
    if let Some(item) = top.get("formats") {
        let known = FORMATS.map(|name| (name, name));
        config.formats =
            item.list()?.iter().map(|item| item.one_of(&known).map(str::to_owned)).collect::<Result<_, _>>()?;
    }
    if let Some(item) = top.get("view") {
        config.view = item.one_of(&View::ALL.map(|view| (view.as_str(), view)))?;
    }
    if let Some(item) = top.get("mappings") {
        config.mappings = item.list()?.iter().map(|item| item.text().map(PathBuf::from)).collect::<Result<_, _>>()?;
    }
    let at = |key: &str| top.get(key).map(|item| item.folder()).transpose();
    if let (Some(config_at), Some(inputs_at)) = (at("config_at")?, at("inputs_at")?) {
        config.placed = Some(Placed { config_at, inputs_at });
    }
    if let Some(item) = top.get("input") {
        config.inputs = item.sections("[[input]]")?.iter().map(read_input).collect::<Result<_, _>>()?;
    }
    if let Some(item) = top.get("coverage") {
        for section in item.sections("[[coverage]]")? {
            let rule = read_coverage(&section, zone)?;
            if config.coverage.iter().any(|other| other.system == rule.system) {
                let message = format!("the coverage of {} stands twice", quoted(&rule.system));
                return Err(section.need("system")?.error(message, "say once from when until when it is covered"));
            }
            config.coverage.push(rule);
        }
    }
    if let Some(section) = top.table("policy", "[policy]")? {
        config.policy = read_policy(&section)?;
    }
    if let Some(item) = top.get("waiver") {
        for section in item.sections("[[waiver]]")? {
            let waiver = read_waiver(&section).map_err(|mut error| {
                // Of twenty waivers the line alone is hard to tell; the id is what people call it by.
                if let Some(Ok(id)) = section.get("id").map(|item| item.owned())
                    && !error.message.contains(&quoted(&id))
                {
                    error.message = format!("waiver {}: {}", quoted(&id), error.message);
                }
                error
            })?;
            if let Some(other) = config.waivers.iter().find(|other| other.id == waiver.id) {
                let message = format!("the waiver id {} is already that of line {}", quoted(&waiver.id), other.line);
                return Err(section
                    .need("id")?
                    .error(message, "findings name the waiver by its id: give each its own"));
            }
            config.waivers.push(waiver);
        }
    }
    Ok(config)
}

pub(super) fn read_input(section: &Section<'_>) -> Result<InputRule, ConfigError> {
    section.only(&INPUT)?;
    let path = section.need("path")?;
    let glob = path.text()?;
    let matcher = GlobBuilder::new(glob.strip_prefix("./").unwrap_or(glob))
        .literal_separator(false)
        .build()
        .map_err(|error| {
            let message = format!("`path` is {}, expected a glob: {}", quoted(glob), error.kind());
            path.error(
                message,
                "`*` and `?` match any characters, `[…]` one of a set; put a literal bracket in brackets: `[[]`",
            )
        })?
        .compile_matcher();
    let text = |key: &str| section.get(key).map(|item| item.owned()).transpose();
    Ok(InputRule {
        path: glob.to_owned(),
        matcher,
        mapping: text("mapping")?,
        timezone: section.get("timezone").map(|item| item.zone()).transpose()?,
        snapshot: section.get("snapshot").map(|item| item.date()).transpose()?,
        system: text("system")?.map(|system| fold(&system)),
        time_format: section.get("time_format").map(|item| time_format(&item)).transpose()?,
        date_order: section.get("date_order").map(|item| item.one_of(&DATE_ORDERS)).transpose()?,
        max_age: section.get("max_age").map(|item| age(&item)).transpose()?,
        expected_records: section.get("expected_records").map(|item| item.count()).transpose()?,
        optional: section.get("optional").map(|item| item.flag()).transpose()?.unwrap_or(false),
        line: section.document.position(section.span.start).0,
    })
}

/// A `%` format is checked here; what other names there are, the source's reader knows.
pub(super) fn time_format(item: &Item<'_>) -> Result<String, ConfigError> {
    let text = item.text()?;
    match chrono::format::StrftimeItems::new(text).any(|part| part == chrono::format::Item::Error) {
        true => Err(item.wrong("a time format", "write it with strftime's signs, as \"%d/%m/%Y %H:%M:%S\"")),
        false => Ok(text.to_owned()),
    }
}

pub(super) const AGES: [(&str, i64); 5] = [("s", SECOND), ("min", MINUTE), ("h", HOUR), ("d", DAY), ("w", 7 * DAY)];

/// `2d`, `36 h`: microseconds, more than none and at most a hundred years.
pub(super) fn age(item: &Item<'_>) -> Result<i64, ConfigError> {
    parse_age(item.text()?).ok_or_else(|| {
        item.wrong("a whole number and s, min, h, d or w", format!("write `{} = \"2d\"` for two days", item.name))
    })
}

/// The same of a text that stands elsewhere; `None` for anything else.
pub(crate) fn parse_age(text: &str) -> Option<i64> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.strip_suffix(unit).unwrap_or(text);
    AGES.iter()
        .find(|(name, _)| *name == unit.trim())
        .and_then(|(_, each)| digits.parse::<i64>().ok()?.checked_mul(*each))
        .filter(|age| (1..=36_525 * DAY).contains(age))
}

pub(super) fn read_coverage(section: &Section<'_>, zone: Tz) -> Result<CoverageRule, ConfigError> {
    section.only(&COVERAGE)?;
    let instant = |key: &str| section.get(key).map(|item| item.instant(zone)).transpose();
    let rule = CoverageRule {
        system: fold(section.need("system")?.text()?),
        since: instant("since")?,
        until: instant("until")?,
    };
    if let (Some(since), Some(until), Some(item)) = (rule.since, rule.until, section.get("until"))
        && since >= until
    {
        let found = format!("`until` is {}, expected an instant after `since`", time::format_instant(until));
        return Err(item.error(found, "the period is [since, until): `until` is the first instant outside it"));
    }
    Ok(rule)
}

pub(super) fn read_waiver(section: &Section<'_>) -> Result<WaiverRule, ConfigError> {
    section.only(&WAIVER)?;
    let text = |key: &str| section.need(key)?.owned();
    let (id, list, where_) = (text("id")?, section.need("checks")?, text("where")?);
    let checks: Vec<String> = list.list()?.iter().map(Item::owned).collect::<Result<_, _>>()?;
    if checks.is_empty() {
        return Err(list.error(
            "`checks` is an empty list, expected the ids of the checks to waive".to_owned(),
            "`regrant list checks` prints the ids",
        ));
    }
    let (reason, requested_by, approver) = (text("reason")?, text("requested_by")?, section.need("approved_by")?);
    let approved_by = approver.owned()?;
    if fold(&requested_by) == fold(&approved_by) {
        return Err(approver
            .wrong("someone other than `requested_by`", "nobody waives their own findings: name who granted it"));
    }
    let (starts_on, end) = (section.need("starts_on")?.date()?, section.need("expires_on")?);
    let expires_on = end.date()?;
    if expires_on < starts_on {
        return Err(end.wrong(&format!("a day not before `starts_on`, {starts_on}"), "it is the last day in force"));
    }
    let line = section.document.position(section.span.start).0;
    Ok(WaiverRule { id, checks, where_, reason, requested_by, approved_by, starts_on, expires_on, line })
}

pub(super) fn read_policy(section: &Section<'_>) -> Result<Policy, ConfigError> {
    let known: Vec<&str> = SCALARS.iter().map(|scalar| scalar.name).chain(POLICY_OTHERS).collect();
    section.only(&known)?;
    let mut policy = Policy::default();
    for scalar in &SCALARS {
        if let Some(item) = section.get(scalar.name) {
            *(scalar.place)(&mut policy) = item.number(scalar.unit)?;
        }
    }
    for (key, place) in
        [("recovery_categories", &mut policy.recovery_categories), ("desk_departments", &mut policy.desk_departments)]
    {
        if let Some(item) = section.get(key) {
            *place = item.list()?.iter().map(|item| item.text().map(fold)).collect::<Result<_, _>>()?;
        }
    }
    if let Some(item) = section.get("working_hours") {
        policy.working_hours = working_hours(&item)?;
    }
    if let Some(item) = section.get("working_days") {
        let names: Vec<(&str, usize)> =
            WEEKDAYS.iter().enumerate().flat_map(|(day, (short, long))| [(*short, day), (*long, day)]).collect();
        policy.working_days = [false; 7];
        for item in item.list()? {
            policy.working_days[item.one_of(&names)?] = true;
        }
    }
    if let Some(item) = section.get("holidays") {
        policy.holidays = item.list()?.iter().map(Item::date).collect::<Result<_, _>>()?;
    }
    if let Some(approval) = section.table("approval", "[policy.approval]")? {
        approval.only(&["self_service", "automation"])?;
        for (key, place) in
            [("self_service", &mut policy.approval_self_service), ("automation", &mut policy.approval_automation)]
        {
            if let Some(item) = approval.get(key) {
                *place = item.flag()?;
            }
        }
    }
    if let Some(revocation) = section.table("revocation", "[policy.revocation]")? {
        revocation.only(&["human", "workload", "issued"])?;
        for (key, place) in [
            ("human", &mut policy.revocation_human),
            ("workload", &mut policy.revocation_workload),
            ("issued", &mut policy.revocation_issued),
        ] {
            if let Some(item) = revocation.get(key) {
                *place = item.number(Unit::Minutes)?;
            }
        }
    }
    if let Some(verification) = section.table("verification", "[policy.verification]")? {
        verification.only(&["levels", "required"])?;
        if let Some(levels) = verification.table("levels", "[policy.verification.levels]")? {
            let mut set = BTreeSet::new();
            for (method, item) in levels.items() {
                let method = fold(method);
                if !set.insert(method.clone()) {
                    let message = format!("the method {} stands twice in {}", quoted(&method), levels.name);
                    return Err(item.error(message, "methods compare without regard to case: keep one of them"));
                }
                policy.levels.insert(method, item.number(Unit::Count)?);
            }
        }
        if let Some(table) = verification.table("required", "[policy.verification.required]")? {
            merge(&mut policy.required, &table, Unit::Count)?;
        }
    }
    if let Some(token) = section.table("token", "[policy.token]")? {
        token.only(&["channel_minutes", "tier_minutes"])?;
        if let Some(table) = token.table("channel_minutes", "[policy.token.channel_minutes]")? {
            merge(&mut policy.channel_minutes, &table, Unit::Minutes)?;
        }
        if let Some(table) = token.table("tier_minutes", "[policy.token.tier_minutes]")? {
            merge(&mut policy.tier_minutes, &table, Unit::Minutes)?;
        }
    }
    if let Some(severity) = section.table("severity", "[policy.severity]")? {
        for (check, item) in severity.items() {
            policy.severity.insert(check.to_owned(), item.one_of(&SEVERITIES)?);
        }
    }
    policy.changed = policy.changes();
    Ok(policy)
}

/// A table whose keys are fixed: those given replace the defaults.
pub(super) fn merge(defaults: &mut BTreeMap<String, f64>, table: &Section<'_>, unit: Unit) -> Result<(), ConfigError> {
    let known: Vec<&str> = defaults.keys().map(String::as_str).collect();
    table.only(&known)?;
    for (key, item) in table.items() {
        defaults.insert(key.to_owned(), item.number(unit)?);
    }
    Ok(())
}

/// `08:00-18:00` in microseconds of the day; `24:00` is the end of the day.
pub(super) fn working_hours(item: &Item<'_>) -> Result<(i64, i64), ConfigError> {
    let clock = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let digits = |text: &str| match text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<i64>().ok(),
            false => None,
        };
        let (hour, minute) = (digits(hour)?, digits(minute)?);
        (minute < 60 && hour * HOUR + minute * MINUTE <= DAY).then_some(hour * HOUR + minute * MINUTE)
    };
    item.text()?
        .split_once('-')
        .and_then(|(from, to)| Some((clock(from)?, clock(to)?)))
        .filter(|(from, to)| from < to)
        .ok_or_else(|| {
            item.wrong(
                "hours of one day, the earlier first",
                "write `working_hours = \"08:00-18:00\"`; the end is exclusive, at most 24:00",
            )
        })
}
