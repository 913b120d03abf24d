// SPDX-License-Identifier: MIT
// page.mjs FOLDER PAGE CHROMIUM OUT: the page of bench/report in a real browser.
// Each question of the measurements in FOLDER has its section, charts and tables;
// the figures of the tables are what is computed here from the measurements; the
// page is looked at in light and dark, wide and narrow (pictures are left in OUT).
// Then it is spoiled in several ways, each of which has to be found out.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Browser } from '../browser.mjs';

const [folder, page, chromium, out] = process.argv.slice(2);
if (!out) {
  console.error('page.mjs FOLDER PAGE CHROMIUM OUT');
  process.exit(2);
}

const LOOKS = { wide: ['light', 1200], 'wide-dark': ['dark', 1200],
  phone: ['light', 400], 'phone-dark': ['dark', 400] };
const UNCHARTED = ['goals']; // a table says it all
const TABLED = ['speed', 'memory', 'crossing', 'slow', 'scaling', 'sharing']; // all of their places have tables

// --- in the page ---------------------------------------------------------------

// These run in the browser, as text, with the tools of browser.mjs.
function readPage() {
  const sections = {};
  for (const title of document.querySelectorAll('h2[id]')) {
    const of = { charts: 0, tables: 0 };
    for (let at = title.nextElementSibling; at && at.localName !== 'h2';
      at = at.nextElementSibling) {
      of.charts += at.querySelectorAll('svg[role="img"]').length;
      of.tables += at.querySelectorAll('table').length;
    }
    sections[title.id] = of;
  }
  const places = {};
  for (const table of document.querySelectorAll('table[data-place]')) {
    const heads = [...table.querySelectorAll('thead th')].map((th) => th.textContent);
    const rows = {};
    for (const row of table.querySelectorAll('tbody tr')) {
      const cells = [...row.children].map((cell) => cell.textContent);
      rows[row.dataset.server] = cells.length < 3 && heads.length > 2 ? cells[1]
        : Object.fromEntries(heads.map((head, i) => [head, cells[i]]));
    }
    places[table.dataset.place] = rows;
  }
  return { sections, places,
    links: [...document.querySelectorAll('nav a')].map((a) => a.hash.slice(1)),
    goals: [...document.querySelectorAll('table.goals tbody tr')]
      .map((row) => [...row.children].map((cell) => cell.textContent)) };
}

function inspect() {
  const wrong = tools.inspect();
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  ids.filter((id, i) => ids.indexOf(id) < i && /^[a-z]+$/.test(id))
    .forEach((id) => wrong.push(`${id} is there twice`));
  for (const chart of document.querySelectorAll('svg[role="img"]')) {
    if (!tools.shown(chart)) continue;
    const label = chart.getAttribute('aria-label');
    if (!label) wrong.push('a chart without a name');
    const texts = [...chart.querySelectorAll('text')].filter(tools.shown);
    if (texts.length < 2) wrong.push(`${label}: no labels`);
    wrong.push(...tools.labels(texts, chart.closest('section').getBoundingClientRect())
      .map((what) => `${label}: ${what}`));
    if (texts.some((text) => text.getBoundingClientRect().height < 8)) {
      wrong.push(`${label}: too small to be read`);
    }
  }
  return wrong;
}

// --- what it should say --------------------------------------------------------

const records = readdirSync(folder).filter((name) => name.endsWith('.jsonl')).sort()
  .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
  .filter(Boolean).map((line) => JSON.parse(line));

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const placeOf = ({ question, cores, workload }) => `${question} ${cores} ${workload}`;

const faults = records.filter(({ what }) => what === 'fault');
const atFault = ({ server, cores, workload }) => faults.some((one) => one.server === server
  && (one.everywhere || (one.cores === cores && one.workload === workload)));

// { place: { server: { name: [value of each round] } } }; of who is at fault null.
function measured() {
  const places = {};
  const groups = {};
  for (const one of records) (groups[placeOf(one)] ??= []).push(one);
  for (const [place, here] of Object.entries(groups)) {
    places[place] = {};
    const base = here[0].cores === 1 ? 'epoll' : 'epoll_threads';
    const rates = new Map(here
      .filter((one) => one.server === base && one.what === 'throughput' && !atFault(one))
      .map((one) => [`${one.run} ${one.round}`, one.figures.rate]));
    for (const one of here) {
      const of = places[place][one.server] ??= atFault(one) ? null : {};
      if (!of || !one.figures) continue;
      const at = one.what === 'memory' ? `@${one.figures.connections}`
        : one.what === 'latency' ? `@${one.figures.share}` : '';
      for (const [name, value] of Object.entries(one.figures)) {
        (of[name + at] ??= []).push(value);
      }
      const against = rates.get(`${one.run} ${one.round}`);
      if (one.what === 'throughput' && against) {
        (of.ratio ??= []).push(one.figures.rate / against);
      }
    }
  }
  return places;
}

// What a head of a table means, or nothing for one that is not compared.
function nameOf(head) {
  const memory = /^(PSS|RSS) at ([\d,]+)$/.exec(head);
  if (memory) return `${memory[1].toLowerCase()}@${memory[2].replaceAll(',', '')}`;
  return /^[^/]+\/s$/.test(head) ? 'rate' : head === 'ratio' ? 'ratio'
    : /^CPU\//.test(head) ? 'cpu_us' : /^calls\//.test(head) ? 'calls'
    : head === 'slow one' ? 'slow_round_trips'
    : ['fewest', 'most', 'opened', 'waited', 'sessions'].includes(head) ? head : null;
}

// Whether a text is that number, rounded as it shows: "1,234", "8.4 µs", "–".
function says(text, value) {
  if (value === undefined) return text === '–';
  const found = /^([\d,]+(?:\.(\d+))?)(?: (µs|ms|s))?$/.exec(text);
  if (!found) return false;
  const unit = { ms: 1e3, s: 1e6 }[found[3]] ?? 1;
  const step = unit * 10 ** -(found[2]?.length ?? 0);
  return Math.abs(Number(found[1].replaceAll(',', '')) * unit - value) <= step * 0.501;
}

function compare(shown) {
  const wrong = [];
  let compared = 0;
  const should = measured();
  const questions = new Set(records.map(({ question }) => question));
  for (const id of questions) {
    const of = shown.sections[id];
    if (!of) wrong.push(`no section ${id}`);
    else if ((!of.charts && !UNCHARTED.includes(id)) || !of.tables) wrong.push(`${id} has ${of.charts} charts, ${of.tables} tables`);
  }
  for (const id of Object.keys(shown.sections)) {
    if (!shown.links.includes(id)) wrong.push(`no link to ${id}`);
  }
  for (const [place, servers] of Object.entries(should)) {
    const rows = shown.places[place];
    if (!rows) {
      if (TABLED.includes(place.split(' ')[0])) wrong.push(`no table of ${place}`);
      continue;
    }
    for (const [server, figures] of Object.entries(servers)) {
      const row = rows[server];
      const where = `${place}, ${server}`;
      if (row === undefined) {
        wrong.push(`${where} is not there`);
      } else if (!figures || !Object.keys(figures).length) {
        if (!/^no/.test(row)) wrong.push(`${where} has figures`);
      } else {
        for (const [head, text] of Object.entries(row)) {
          const name = nameOf(head);
          if (!name) continue;
          compared++;
          const value = figures[name] && median(figures[name]);
          if (!says(text, value)) wrong.push(`${where}: ${head} is ${text}, not ${value}`);
        }
      }
    }
  }
  if (!compared) wrong.push('no figure was compared');
  return [...wrong, ...compareGoals(shown.goals, should)];
}

function compareGoals(goals, should) {
  const wrong = [];
  // Of the run that has just these servers, or else that of all.
  const titles = new Map(['speed', 'goals'].flatMap((asked) =>
    records.filter(({ question }) => question === asked))
    .map((one) => [`ratio, ${one.title}, ${one.cores} core${one.cores > 1 ? 's' : ''}`,
      placeOf(one)]));
  if (records.some(({ server }) => server === 'teller-echo') && !goals.length) {
    wrong.push('no goals');
  }
  for (const [name, target, text, , verdict] of goals) {
    const ratios = should[titles.get(name)]?.['teller-echo']?.ratio;
    if (!/^ratio/.test(name) || !ratios) continue;
    const value = median(ratios);
    if (!says(text, value)) wrong.push(`${name}: ${text}, not ${value}`);
    const met = value >= Number(target.slice(2));
    if (!verdict.startsWith(met ? 'met' : 'missed')) wrong.push(`${name} is ${verdict}`);
  }
  return wrong;
}

// --- the checks ----------------------------------------------------------------

// All that is wrong, or the first of it. `keep`: where its pictures go, and what is
// folded is looked at too.
async function check(browser, file, keep) {
  const wrong = [];
  await browser.look('light', 1200);
  await browser.open(pathToFileURL(file).href);
  wrong.push(...compare(await browser.evaluate(readPage)));
  if (wrong.length) return wrong;
  const backgrounds = {};
  for (const [look, how] of Object.entries(LOOKS)) {
    await browser.look(...how);
    for (const open of keep ? [false, true] : [false]) {
      await browser.evaluate(`() => document.querySelectorAll('details')
        .forEach((one) => { one.open = ${open}; })`);
      wrong.push(...(await browser.evaluate(inspect)).map((what) => `${look}: ${what}`));
      // A phone makes what it shows as wide as what is in it.
      const width = await browser.evaluate('() => document.documentElement.scrollWidth');
      if (width > how[1]) wrong.push(`${look}: ${width} pixels wide`);
      if (wrong.length) return wrong;
      if (keep && !open) writeFileSync(`${keep}-${look}.png`, await browser.picture());
    }
    backgrounds[look] = await browser.evaluate('() => tools.behind(document.body)[0]');
  }
  if (backgrounds.wide < 180 || backgrounds['wide-dark'] > 80) {
    wrong.push('light and dark are not as they should be');
  }
  if (browser.asked.length !== 1) wrong.push(`it asked for ${browser.asked}`);
  if (browser.complained.length) wrong.push(`the browser says: ${browser.complained}`);
  return wrong;
}

const FAULTS = {
  'a figure differs': (text) => text.replace(/(data-server="(?:epoll|mine)"[^]*?<td>)(\d)/, '$19$2'),
  'a figure of the slow one differs': (text) =>
    text.replace(/(data-place="slow [^]*?<td>)9\.00(<)/, '$19.01$2'),
  'a thread has more': (text) =>
    text.replace(/(data-place="sharing 1 held64"[^]*?<td>)(\d)/, '$19$2'),
  'a server is missing': (text) => text.replace('data-server="epoll"', 'data-server="epol"'),
  'a table is missing': (text) => text.replace(/<table data-place[^]*?<\/table>/, ''),
  'a section is missing': (text) => text.replace('<h2 id="memory">', '<h2>'),
  'a section has no charts': (text) => text.replaceAll(/role="img" aria-label="Memory[^"]*"/g, ''),
  'a chart has no name': (text) => text.replace(/aria-label="[^"]+"/, 'aria-label=""'),
  'a goal that is met is called missed': (text) =>
    text.replace(/<td class="met">met/, '<td class="met">missed'),
  'no dark': (text) => text.replace('prefers-color-scheme: dark', 'prefers-color-scheme: none'),
  'a chart is not dark': (text) => text.replace(/(<text style="fill: )var\(--ink\)/, '$1#17202b'),
  'pale text': (text) => text.replace('--soft: #556070', '--soft: #b0b8c0'),
  'too wide for a phone': (text) => text.replace('<main>', '<main style="width: 700px">'),
  'a table is cut off': (text) => text.replace('<div class="wide">', '<div>'),
  'labels on each other': (text) => text.replace(/(<text [^>]*y=")[\d.]+("[^>]*>[^<]+<\/text>[^]*?<text [^>]*y=")[\d.]+"/, '$150$250"').replace(/ transform="rotate\([^"]*\)"/g, ''),
  'something from elsewhere': (text) => text.replace('</main>', '<img src="missing.png"></main>'),
  'a script fails': (text) => text.replace('</head>', '<script>missing();</script></head>')
    .replace('<script>', '<style></style><script>'),
};

async function main() {
  const work = mkdtempSync(join(tmpdir(), 'teller-bench-page-'));
  let browser;
  let failures = 0;
  const fail = (what) => { failures++; console.log(`FAILED: ${what}`); };
  try {
    mkdirSync(out, { recursive: true });
    browser = new Browser(chromium, join(work, 'profile'));
    await browser.begin();
    (await check(browser, page, join(out, 'bench'))).forEach(fail);
    const text = readFileSync(page, 'utf8');
    for (const [fault, spoil] of failures ? [] : Object.entries(FAULTS)) {
      const spoiled = spoil(text);
      const at = join(work, 'spoiled.html');
      writeFileSync(at, spoiled);
      const found = await check(browser, at);
      if (spoiled === text) fail(`${fault}: the page is as before`);
      else if (!found.length) fail(`${fault}: and nothing said so`);
      else console.log(`  ${fault}: found out: ${found[0]}`);
    }
  } finally {
    if (browser) await browser.end().catch(() => {});
    rmSync(work, { recursive: true, force: true, maxRetries: 5 });
  }
  console.log(failures ? `${failures} wrong` : `all right; the pictures are in ${out}`);
  process.exitCode = failures ? 1 : 0;
}

await main();
