"use strict";
(() => {
  const root = document.documentElement, byId = (id) => document.getElementById(id);
  const SEVERITIES = ["critical", "high", "medium", "low", "info"], PAGE = 100, OPTIONS = 500;
  const number = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const count = (n, one, many) => number(n) + " " + (n === 1 ? one : many);
  const anchor = (text) => Array.from(text).slice(0, 80).map((c) => /[A-Za-z0-9_.-]/.test(c) ? c : "-").join("");

  // Text is only ever set as text: nothing from the data is parsed as markup.
  const el = (name, attributes, ...inside) => {
    const node = document.createElement(name);
    for (const key of Object.keys(attributes || {})) { node.setAttribute(key, attributes[key]); }
    node.append(...inside.filter((x) => x !== null && x !== ""));
    return node;
  };
  const bdi = (text) => el("bdi", null, text);

  const unfold = (at) => {
    for (let up = at; up; up = up.parentElement) {
      if (up.tagName === "DETAILS") { up.open = true; }
      up.hidden = false;
    }
    at.scrollIntoView();
  };

  const copy = async (text, button, said) => {
    const before = button.textContent;
    let done = false;
    try { await navigator.clipboard.writeText(text); done = true; } catch (refused) {
      const area = el("textarea", { "class": "visually-hidden", "aria-hidden": "true", "tabindex": "-1" });
      area.value = text;
      document.body.append(area);
      area.select();
      try { done = document.execCommand("copy"); } catch (old) { done = false; }
      area.remove();
      button.focus();
    }
    button.textContent = done ? said : "The browser refused";
    setTimeout(() => { button.textContent = before; }, 2500);
  };

  // The data: a head of shared words, then columns in chunks.
  const unpack = async (node) => {
    const letters = atob(node.textContent), bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) { bytes[i] = letters.charCodeAt(i); }
    node.remove();
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return JSON.parse(await new Response(stream).text());
  };

  // Tables: a click on a heading sorts up, the next one down, the third gives the order of the report again.
  const VERDICTS = ["v-fail", "v-open", "v-waived", "v-pass", "v-none"];
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const worth = (cell) => {
    const verdict = cell.querySelector(":scope > .verdict");
    if (verdict) { return VERDICTS.findIndex((name) => verdict.classList.contains(name)); }
    const text = cell.dataset.value === undefined ? (cell.querySelector("bdi, .rid") || cell).textContent : cell.dataset.value;
    const plain = text.trim().replace(/[\u202f\u00a0]/g, "");
    if (/^[0-9.]+( %)?$/.test(plain)) { return parseFloat(plain); }
    if (/^\d{1,2} [A-Z][a-z]{2} \d{4}/.test(plain)) { return Date.parse(plain.replace(/ [A-Z]{2,5}$/, " UTC")); }
    return plain;
  };
  const against = (a, b) => {
    if (typeof a === "number" && typeof b === "number") { return a - b; }
    // What is no number stands behind what is one.
    return typeof a === "number" ? -1 : typeof b === "number" ? 1 : compare(a, b);
  };
  for (const table of document.querySelectorAll("table[data-sorts]")) {
    const body = table.tBodies[0], given = Array.from(body.rows), headings = Array.from(table.tHead.rows[0].cells);
    if (given.length < 2) { continue; }
    headings.forEach((heading, column) => {
      // Not a button element: the head of a table that goes over several sheets is printed again without those.
      const button = el("span", { role: "button", tabindex: "0", "class": "sorter" }, ...heading.childNodes);
      button.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); button.click(); } });
      button.addEventListener("click", () => {
        const was = heading.getAttribute("aria-sort"), now = was === null ? "ascending" : was === "ascending" ? "descending" : null;
        for (const other of headings) { other.removeAttribute("aria-sort"); }
        let rows = given;
        if (now !== null) {
          heading.setAttribute("aria-sort", now);
          const turn = now === "ascending" ? 1 : -1;
          const keyed = given.map((row, n) => ({ row: row, n: n, key: worth(row.cells[column]) }));
          rows = keyed.sort((a, b) => turn * against(a.key, b.key) || a.n - b.n).map((k) => k.row);
        }
        body.append(...rows);
      });
      heading.append(button);
    });
  }

  const section = byId("findings-live");
  if (section === null) {
    const follow = () => { const at = byId(decodeURIComponent(location.hash.slice(1))); if (at) { unfold(at); } };
    addEventListener("hashchange", follow);
    follow();
    return;
  }
  const search = byId("q"), shown = byId("shown"), list = byId("live"), more = byId("more"), who = byId("who"), chip = byId("chip");
  const keys = byId("keys");
  let head = null, loaded = 0;
  // One entry a finding: chunk and row tell where its texts are.
  const chunks = [], haystacks = [];
  const filter = { q: "", severity: "", state: "", control: "", check: "", system: "", tier: "", executor: "", identity: "", requirement: "", finding: "" };
  let sort = { key: "", up: true }, rows = [], room = PAGE, facets = [], ranks = {};
  let identityOf = null;
  const identities = [], identityNumber = new Map();

  // The first words of the shipped checks' sentences: anything else may be a name and stays as it is.
  const sentence = (text) => /^(a|an|credentials|no|the|this|ticket) /.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
  const place = (i) => [chunks[Math.floor(i / head.chunk)], i % head.chunk];
  const nameOf = (c, r) => c.name[r] || c.target[r] || c.identity[r] || "not reported";

  const take = (columns) => {
    const from = loaded, starts = new Uint32Array(columns.id.length + 1), lines = [];
    let at = 0;
    for (let r = 0; r < columns.id.length; r++) {
      const k = head.checks[columns.check[r]], i = from + r;
      const line = [columns.id[r], columns.because[r], columns.name[r], columns.target[r], columns.identity[r], columns.subject[r],
        head.executors[columns.executor[r]], head.approvers[columns.approver[r]], columns.ticket[r], head.systems[columns.system[r]],
        head.actions[columns.action[r]], head.tiers[columns.tier[r]], SEVERITIES[columns.severity[r]], k.id, k.title, columns.said_at[r], head.files[columns.file[r]]]
        .join(" ").toLowerCase().replace(/\n/g, " ");
      starts[r] = at;
      at += line.length + 1;
      lines.push(line);
      const key = columns.identity[r] || "\u0000" + columns.target[r];
      let n = identityNumber.get(key);
      if (n === undefined) {
        n = identities.length;
        identityNumber.set(key, n);
        identities.push({ name: nameOf(columns, r), anchor: "i-" + anchor(columns.identity[r] || columns.target[r]), id: columns.identity[r] });
      }
      identityOf[i] = n;
      const waived = columns.waiver[r] > 0 ? 1 : 0;
      const codes = [columns.severity[r], waived, k.controlNumber, columns.check[r], columns.system[r], columns.tier[r], columns.executor[r]];
      for (let f = 0; f < facets.length; f++) { facets[f].code[i] = codes[f]; }
    }
    starts[columns.id.length] = at;
    chunks.push(columns);
    haystacks.push({ text: lines.join("\n") + "\n", starts: starts, from: from });
    loaded += columns.id.length;
    ranks = {};
  };

  // Marks every finding that has the word.
  const mark = (word, hits, bit) => {
    for (const hay of haystacks) {
      let row = 0;
      for (let at = hay.text.indexOf(word); at >= 0; at = hay.text.indexOf(word, hay.starts[row])) {
        // Matches come in order, and a common word is in the very next line.
        while (hay.starts[row + 1] <= at) { row++; }
        hits[hay.from + row] += hits[hay.from + row] === bit ? 1 : 0;
        row++;
      }
    }
  };

  const rank = (key) => {
    if (ranks[key]) { return ranks[key]; }
    const keyOf = {
      finding: (c, r) => c.because[r].toLowerCase(), who: (c, r) => nameOf(c, r).toLowerCase(),
      system: (c, r) => head.systems[c.system[r]].toLowerCase(), at: (c, r) => c.at[r], check: (c, r) => head.checks[c.check[r]].id,
      executor: (c, r) => head.executors[c.executor[r]].toLowerCase(),
    }[key];
    const words = new Array(loaded);
    for (let i = 0; i < loaded; i++) { const [c, r] = place(i); words[i] = keyOf(c, r); }
    const order = Array.from(words.keys()).sort((a, b) => words[a] < words[b] ? -1 : words[a] > words[b] ? 1 : a - b);
    const out = new Uint32Array(loaded);
    for (let n = 0, last = 0; n < order.length; n++) { if (n > 0 && words[order[n]] !== words[order[n - 1]]) { last = n; } out[order[n]] = last; }
    ranks[key] = out;
    return out;
  };

  const apply = (again) => {
    const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = new Uint8Array(loaded), need = words.length;
    words.forEach((word, bit) => mark(word, hits, bit));
    const wanted = facets.map((f) => filter[f.key] === "" ? -1 : f.numbers.has(filter[f.key]) ? f.numbers.get(filter[f.key]) : -2);
    const sets = filter.requirement === "" ? null : head.references.map((set) => set[0].concat(set[1], set[2]).some((n) => head.requirements[n].reference === filter.requirement));
    const counts = facets.map((f) => new Uint32Array(f.names.length)), people = new Uint32Array(identities.length);
    const before = rows.slice(0, list.children.length);
    rows = [];
    for (let i = 0; i < loaded; i++) {
      if (hits[i] !== need) { continue; }
      if (filter.identity !== "" && identities[identityOf[i]].anchor !== filter.identity) { continue; }
      if (sets !== null || filter.finding !== "") {
        const [c, r] = place(i);
        if (sets !== null && !sets[c.references[r]]) { continue; }
        if (filter.finding !== "" && c.id[r] !== filter.finding) { continue; }
      }
      let wrong = 0, which = 0;
      for (let f = 0; f < facets.length && wrong < 2; f++) {
        if (wanted[f] !== -1 && facets[f].code[i] !== wanted[f]) { wrong++; which = f; }
      }
      if (wrong === 0) {
        rows.push(i);
        people[identityOf[i]]++;
        for (let f = 0; f < facets.length; f++) { counts[f][facets[f].code[i]]++; }
      } else if (wrong === 1) { counts[which][facets[which].code[i]]++; }
    }
    if (sort.key === "severity") { if (!sort.up) { rows.reverse(); } } else if (sort.key !== "") {
      const by = rank(sort.key);
      rows.sort((a, b) => (sort.up ? by[a] - by[b] : by[b] - by[a]) || a - b);
    }
    facets.forEach((f, n) => options(f, counts[n]));
    const told = loaded < head.total ? "reading " + number(loaded) + " of " : "";
    shown.textContent = rows.length === loaded && told === "" ? count(head.total, "finding", "findings") :
      number(rows.length) + " of " + told + count(head.total, "finding", "findings");
    peopleLine(people);
    chips();
    const same = again && before.every((i, n) => rows[n] === i);
    if (!same) {
      room = PAGE;
      list.replaceChildren();
    }
    page();
  };

  const options = (f, counts) => {
    const order = Array.from(counts.keys()).filter((n) => counts[n] > 0 || f.names[n] === filter[f.key]);
    if (!f.fixed) { order.sort((a, b) => counts[b] - counts[a] || a - b); }
    const left = order.length - OPTIONS;
    f.select.replaceChildren(el("option", { value: "" }, "all"), ...order.slice(0, OPTIONS).map((n) => {
      const option = el("option", { value: f.names[n] }, (f.labels[n] || "not reported") + " (" + number(counts[n]) + ")");
      option.selected = f.names[n] === filter[f.key];
      return option;
    }));
    if (left > 0) { f.select.append(el("option", { disabled: "" }, "… " + number(left) + " more: search for them")); }
    f.select.classList.toggle("set", filter[f.key] !== "");
  };

  const peopleLine = (people) => {
    let all = 0;
    const order = [];
    for (let n = 0; n < people.length; n++) {
      if (people[n] === 0) { continue; }
      all++;
      if (order.length === 6 && people[n] <= people[order[5]]) { continue; }
      let at = order.length;
      while (at > 0 && people[order[at - 1]] < people[n]) { at--; }
      order.splice(at, 0, n);
      order.length = Math.min(order.length, 6);
    }
    const first = order.map((n) => {
      const button = el("button", { type: "button", "class": "plainbutton" }, bdi(identities[n].name), " " + number(people[n]));
      button.addEventListener("click", () => { location.hash = "findings?identity=" + encodeURIComponent(identities[n].anchor); });
      return button;
    });
    who.replaceChildren(all === 0 ? "" : count(all, "identity", "identities") + (all > 6 ? ", most findings: " : ": "), ...first);
  };

  const chips = () => {
    const one = filter.finding !== "" ? "one finding, " + filter.finding : filter.identity !== "" ? "one identity" : filter.requirement !== "" ? "findings that refer to " + filter.requirement : "";
    const name = filter.identity === "" ? null : identities.find((x) => x.anchor === filter.identity);
    const any = Object.keys(filter).some((key) => filter[key] !== "") || sort.key !== "";
    const clear = el("button", { type: "button" }, "Show all findings");
    clear.addEventListener("click", () => { wipe(); sort = { key: "", up: true }; heads(); changed(); search.focus(); });
    chip.replaceChildren(...(any ? [one === "" ? "" : el("span", { "class": "chip" }, "Limited to " + one, name ? ": " : "", name ? bdi(name.name) : ""), clear] : []));
  };

  const pair = (name, value) => el("div", null, el("dt", null, name), el("dd", { "class": "break" }, value));
  const facts = (...pairs) => el("dl", { "class": "facts" }, ...pairs);
  const spans = (line) => line.map((s) => s.code ? el("code", null, s.text) : s.text);
  const prose = (blocks) => (blocks || []).map((b) => b.list ? el("ul", null, ...b.items.map((i) => el("li", null, ...spans(i)))) : el("p", null, ...spans(b.items[0] || [])));

  const references = (title, numbers, reason) => {
    if (numbers.length === 0) { return []; }
    const by = new Map();
    for (const n of numbers) {
      const r = head.requirements[n];
      if (!by.has(r.framework)) { by.set(r.framework, []); }
      by.get(r.framework).push(r);
    }
    const lines = Array.from(by, ([framework, list]) => el("li", null, framework + ": ",
      ...list.flatMap((r, n) => [n > 0 ? ", " : "", byId(r.anchor) ? el("a", { href: "#" + r.anchor }, r.id) : r.id]),
      ...(reason ? list.filter((r) => r.contextual).map((r) => el("span", { "class": "why" }, " " + r.contextual)).slice(0, 1) : [])));
    return [el("h3", { "class": "sub" }, title), el("ul", { "class": "plain small" }, ...lines)];
  };

  const body = (i) => {
    const [c, r] = place(i), k = head.checks[c.check[r]], set = head.references[c.references[r]], names = c.names[r] || k.evidence;
    const waiver = c.waiver[r] > 0 ? head.waivers[c.waiver[r] - 1] : "";
    const some = (name, value) => value === "" || value === undefined ? [] : [pair(name, bdi(value))];
    const identity = identities[identityOf[i]];
    const snippet = head.snippet.split("{finding}").join(c.id[r]).split("{check}").join(k.id);
    const button = el("button", { type: "button" }, "Copy waiver");
    button.addEventListener("click", () => { copy(snippet, button, "Copied"); });
    const story = el("a", { href: byId(identity.anchor) ? "#" + identity.anchor : "#findings?identity=" + encodeURIComponent(identity.anchor) }, "Everything about ", bdi(identity.name));
    return el("div", { "class": "findingbody" },
      el("div", { "class": "two" },
        el("div", null, el("h3", { "class": "sub" }, "Why we say so"), facts(...c.evidence[r].map((value, n) => pair(names[n], value))),
          ...(k.thresholds.length > 0 ? [el("h3", { "class": "sub" }, "Thresholds in force"), facts(...k.thresholds.map((t) => pair(t[0], t[1])))] : []),
          el("p", { "class": "small" }, "Fails when ", el("code", null, k.fails), "; it would have held had this been known to be false."),
          el("h3", { "class": "sub" }, "What to do"), ...prose(k.remedy)),
        el("div", null, el("h3", { "class": "sub" }, "The record"),
          facts(pair("Source", bdi(head.files[c.file[r]] + ", record " + number(c.record[r]))), pair(c.kind[r] === 1 ? "Credential" : "Reset", bdi(c.subject[r])),
            ...some("Action", head.actions[c.action[r]]), ...some("Target", c.target[r]), ...some("Identity", c.identity[r]), ...some("Executor", head.executors[c.executor[r]]),
            ...some("Approver", head.approvers[c.approver[r]]), ...some("Ticket", c.ticket[r]),
            ...(waiver === "" ? [] : [pair("Accepted by", el("a", { href: "#waivers" }, bdi(waiver)))])))),
      ...(set[0].length + set[1].length + set[2].length === 0 ? [] : [el("details", { "class": "refs" },
        el("summary", null, set[0].length === 0 ? "Requirements that it is shown beside" : "Evidence relevant to " + count(set[0].length, "requirement", "requirements")),
        el("div", { "class": "two" }, el("div", null, ...references("Evidence relevant to", set[0], false)),
          el("div", null, ...references("Shown beside, never counted", set[1], false), ...references("Context only", set[2], true))))]),
      ...(waiver === "" ? [el("details", { "class": "refs" }, el("summary", null, "Accept this risk instead: a waiver for the config"),
        el("p", { "class": "small" }, "For this one finding. Fill in the reason and the two people; it accepts the risk, it does not make the check hold."),
        el("pre", { "class": "snippet", tabindex: "0" }, snippet), button)] : []),
      el("p", { "class": "small selflink" }, el("a", { href: "#f-" + c.id[r] }, "Link to this finding"), " · ", story, " · ", el("a", { href: "#check-" + k.anchor }, "The check and its population"), " · ", el("span", { "class": "mono" }, c.id[r])));
  };

  const line = (i) => {
    const [c, r] = place(i), k = head.checks[c.check[r]], tier = head.tiers[c.tier[r]], severity = SEVERITIES[c.severity[r]];
    const summary = el("summary", null,
      el("span", { "class": "fsev" }, el("span", { "class": "severity sev-" + severity }, severity)),
      el("span", { "class": "because" }, bdi(sentence(c.because[r])), el("span", { "class": "byline" }, k.title, ...(c.waiver[r] > 0 ? [" ", el("span", { "class": "verdict v-waived" }, el("span", { "class": "sign", "aria-hidden": "true" }, "◷"), " accepted")] : []))),
      el("span", { "class": "fwho" }, bdi(nameOf(c, r)), tier === "" ? null : el("span", { "class": "byline" }, tier)),
      el("span", { "class": "fsys" }, head.systems[c.system[r]]),
      el("span", { "class": "fat" }, c.at[r] === "" ? "inventory" : el("time", { datetime: c.at[r], title: c.at[r] }, c.said_at[r])));
    const node = el("details", { "class": "fold finding", "data-severity": severity, "data-id": c.id[r] }, summary);
    node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) { node.append(body(i)); } });
    return node;
  };

  const page = () => {
    const have = list.children.length;
    list.append(...rows.slice(have, room).map(line));
    const left = rows.length - list.children.length;
    more.hidden = left === 0;
    more.textContent = "Show " + number(Math.min(PAGE, left)) + " more, of " + number(left) + " that follow";
    byId("nothing").hidden = rows.length > 0;
    if (filter.finding !== "" && rows.length === 1) { list.firstChild.open = true; }
  };

  // The address says what is shown, so that it can be sent to somebody who has the file.
  const address = () => {
    const said = Object.keys(filter).filter((key) => filter[key] !== "").map((key) => key + "=" + encodeURIComponent(filter[key]));
    if (sort.key !== "") { said.push("sort=" + (sort.up ? "" : "-") + sort.key); }
    return "#findings" + (said.length > 0 ? "?" + said.join("&") : "");
  };
  const changed = () => {
    apply();
    try { history.replaceState(null, "", address()); } catch (opaque) { /* a page without an address of its own */ }
  };
  const wipe = () => {
    for (const key of Object.keys(filter)) { filter[key] = ""; }
    search.value = "";
  };

  const heads = () => {
    for (const button of section.querySelectorAll("[data-sort]")) {
      const on = sort.key === button.dataset.sort;
      button.setAttribute("aria-pressed", String(on));
      button.dataset.order = on ? (sort.up ? "up" : "down") : "";
    }
  };

  // Deep links: a finding, an identity, a filter; everything else is an element of the page.
  const follow = () => {
    const raw = location.hash.slice(1), [id, query] = [raw.split("?")[0], raw.split("?").slice(1).join("?")];
    const at = byId(decodeURIComponent(id));
    if (id === "findings" && query !== "") {
      wipe();
      sort = { key: "", up: true };
      for (const part of query.split("&")) {
        const [key, value] = [part.split("=")[0], decodeURIComponent(part.split("=").slice(1).join("="))];
        if (key === "sort") { sort = { key: value.replace(/^-/, ""), up: !value.startsWith("-") }; } else if (key in filter) { filter[key] = value; }
      }
      if (section.querySelector("[data-sort=\"" + sort.key.replace(/[^a-z]/g, "") + "\"]") === null) { sort = { key: "", up: true }; }
      search.value = filter.q;
      heads();
      apply();
      unfold(byId("findings"));
    } else if (/^f-[0-9A-Za-z_.-]+$/.test(id) && loaded > 0) {
      wipe();
      filter.finding = id.slice(2);
      apply();
      unfold(byId("findings"));
    } else if (/^i-/.test(id) && at === null && identities.some((x) => x.anchor === id)) {
      location.hash = "findings?identity=" + encodeURIComponent(id);
    } else if (at) { unfold(at); }
  };

  const csv = () => {
    const cell = (text) => {
      let value = String(text);
      if (/^[=+\-@\t\r]/.test(value)) { value = "'" + value; }
      return /[",\n\r]/.test(value) ? "\"" + value.replace(/"/g, "\"\"") + "\"" : value;
    };
    const lines = ["finding_id,check,control,severity,state,subject_kind,subject,system,occurred_at,action,target,identity,identity_name,tier,executor,approver,ticket,because,source_file,source_record,waiver"];
    for (const i of rows) {
      const [c, r] = place(i), k = head.checks[c.check[r]];
      lines.push([c.id[r], k.id, k.control, SEVERITIES[c.severity[r]], c.waiver[r] > 0 ? "waived" : "open", c.kind[r] === 1 ? "credential" : "reset", c.subject[r], head.systems[c.system[r]],
        c.at[r], head.actions[c.action[r]], c.target[r], c.identity[r], c.name[r], head.tiers[c.tier[r]], head.executors[c.executor[r]], head.approvers[c.approver[r]], c.ticket[r], c.because[r],
        head.files[c.file[r]], c.record[r], c.waiver[r] > 0 ? head.waivers[c.waiver[r] - 1] : ""].map(cell).join(","));
    }
    return lines.join("\r\n") + "\r\n";
  };

  const listen = () => {
    search.addEventListener("input", () => { filter.q = search.value; filter.finding = ""; changed(); });
    for (const f of facets) { f.select.addEventListener("change", () => { filter[f.key] = f.select.value; filter.finding = ""; changed(); }); }
    for (const button of section.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => {
        const key = button.dataset.sort;
        sort = sort.key !== key ? { key: key, up: true } : sort.up ? { key: key, up: false } : { key: "", up: true };
        heads();
        changed();
      });
    }
    more.addEventListener("click", () => { const at = list.children.length; room += PAGE; page(); if (list.children[at]) { list.children[at].firstChild.focus(); } });
    const button = byId("csv");
    button.addEventListener("click", () => { copy(csv(), button, count(rows.length, "row", "rows") + " copied"); });
    addEventListener("hashchange", follow);
    document.addEventListener("click", (e) => {
      const link = e.target instanceof Element ? e.target.closest("a[data-filter]") : null;
      if (link) { e.preventDefault(); location.hash = "findings?" + link.dataset.filter; follow(); }
    });
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.altKey || e.metaKey) { return; }
      const typing = e.target instanceof Element && e.target.matches("input,select,textarea");
      if (e.key === "Escape" && e.target === search && search.value !== "") { search.value = ""; filter.q = ""; changed(); return; }
      if (typing || !keys.checked) { return; }
      if (e.key === "/") { e.preventDefault(); unfold(byId("findings")); search.focus(); }
      if (e.key === "j" || e.key === "k") {
        const all = Array.from(list.children), now = all.findIndex((n) => n.contains(document.activeElement));
        const next = all[e.key === "j" ? Math.min(now + 1, all.length - 1) : Math.max(now - 1, 0)];
        if (next) { e.preventDefault(); next.firstChild.focus(); next.scrollIntoView({ block: "nearest" }); }
      }
    });
  };

  const start = async () => {
    const parts = Array.from(document.querySelectorAll("script.packed"));
    head = await unpack(parts[0]);
    const controls = head.controls.map((c) => c[0]);
    for (const k of head.checks) {
      k.controlNumber = controls.indexOf(k.control);
      if (k.controlNumber < 0) { k.controlNumber = controls.push(k.control) - 1; head.controls.push([k.control, k.control]); }
    }
    identityOf = new Uint32Array(head.total);
    const facet = (key, labels, values, fixed) => {
      // "" is the choice of all, and two long names may read the same once they are cut.
      const numbers = new Map();
      const names = values.map((value, n) => value === "" ? "\u200b" : numbers.has(value) ? value + " #" + n : (numbers.set(value, n), value));
      names.forEach((name, n) => numbers.set(name, n));
      return { key: key, names: names, labels: labels, fixed: fixed, numbers: numbers, code: new Uint32Array(head.total), select: byId("by-" + key) };
    };
    facets = [facet("severity", SEVERITIES, SEVERITIES, true), facet("state", ["open", "accepted"], ["open", "waived"], true),
      facet("control", head.controls.map((c) => c[1]), controls, true), facet("check", head.checks.map((k) => k.title), head.checks.map((k) => k.id), false),
      facet("system", head.systems, head.systems, false), facet("tier", head.tiers, head.tiers, false), facet("executor", head.executors, head.executors, false)];
    take(await unpack(parts[1]));
    listen();
    heads();
    apply();
    root.classList.add("live");
    follow();
    for (const part of parts.slice(2)) {
      take(await unpack(part));
      // Between two chunks the browser may paint and answer.
      await new Promise((resume) => setTimeout(resume, 0));
      if (loaded % (head.chunk * 8) === 0) { shown.textContent = "reading " + number(loaded) + " of " + count(head.total, "finding", "findings"); }
    }
    if (parts.length > 2) {
      apply(true);
      if (/^#i-/.test(location.hash)) { follow(); }
    }
    root.dataset.ready = "yes";
  };
  start().catch((error) => {
    // The list that needs no script stays where it is.
    byId("noscript-note").textContent = "Search is not available here (" + error.message + "); the list below needs no script.";
    root.dataset.ready = "no";
  });
})();
