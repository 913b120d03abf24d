// SPDX-License-Identifier: MIT
// page.mjs ECHO LOAD CHROMIUM OUT: the report of teller-load (--report) in a real
// browser. Runs the server and the client for some seconds, in several modes;
// reads the figures from the page and compares them with the --json of the same
// run; looks at the charts, at the colours and at pictures of the page in light,
// dark, narrow and printed (they are left in OUT); then spoils the page in
// several ways, each of which has to be found out. Ends what it has started, and
// nothing else.
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { inflateSync } from 'node:zlib';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Browser } from './browser.mjs';

const [echoProgram, loadProgram, chromium, out] = process.argv.slice(2);
if (!out) {
  console.error('page.mjs ECHO LOAD CHROMIUM OUT');
  process.exit(2);
}

// --- in the page ---------------------------------------------------------------

// These run in the browser, as text, with the tools of browser.mjs.
function readFigures() {
  const figures = {};
  for (const cell of document.querySelectorAll('[data-name]')) {
    if (cell.dataset.name in figures) figures[cell.dataset.name] = 'there twice';
    else figures[cell.dataset.name] = cell.dataset.value;
    if (!cell.textContent.trim()) figures[cell.dataset.name] = 'shown as nothing';
  }
  return figures;
}

function inspect() {
  const wrong = tools.inspect();
  const { colour, contrast, behind, shown, name } = tools;
  for (const table of document.querySelectorAll('section, .tiles div')) {
    if (table.scrollWidth > table.clientWidth) wrong.push(`${name(table)} is cut off`);
  }
  if (document.querySelector('script, link, img, iframe, object, embed')) {
    wrong.push('not all of it is in the page');
  }

  // The charts: what is drawn is within the box; labels are apart, and in the card.
  const figures = document.querySelectorAll('figure');
  for (const figure of figures) {
    if (!figure.querySelector('svg.chart')) {
      if (!figure.querySelector('p')) wrong.push(`${figure.id}: empty`);
      continue;
    }
    const paths = figure.querySelectorAll('svg.lines path');
    const [, , width, height] =
      figure.querySelector('svg.lines').getAttribute('viewBox').split(' ').map(Number);
    if (paths.length === 0) wrong.push(`${figure.id}: no line`);
    for (const path of paths) {
      const numbers = path.getAttribute('d').match(/-?\d+(\.\d+)?/g) ?? [];
      if (numbers.length < 4) wrong.push(`${figure.id}: an empty path`);
      if (numbers.some((n, i) => n < 0 || n > (i % 2 ? height : width))) {
        wrong.push(`${figure.id}: a path leaves its box`);
      }
      if (!(path.getTotalLength() > 0)) wrong.push(`${figure.id}: a path without length`);
      const line = contrast(colour(getComputedStyle(path).stroke), behind(figure));
      if (!(line >= 3)) wrong.push(`${figure.id}: a line of contrast ${line.toFixed(2)}`);
    }
    const card = figure.getBoundingClientRect();
    const texts = [...figure.querySelectorAll('text')].filter(shown);
    if (figure.id === 'percentiles') {
      for (const label of ['50%', '90%', '99%']) {
        if (!texts.some((text) => text.textContent === label)) wrong.push(`no label ${label}`);
      }
      if (texts.filter((text) => text.matches('.mark')).length !== 5) {
        wrong.push('not all percentiles have their labels');
      }
    }
    if (texts.length < 5) wrong.push(`${figure.id}: no labels`);
    wrong.push(...tools.labels(texts, card).map((what) => `${figure.id}: ${what}`));
  }
  return wrong;
}

// What is drawn: the lines of each chart, and the ends of its y axis.
function readDrawn() {
  const drawn = {};
  for (const figure of document.querySelectorAll('figure')) {
    const labels = [...figure.querySelectorAll('text.y')].map((text) => text.textContent);
    drawn[figure.id] = { low: labels[0], high: labels.at(-1), lines: {} };
    for (const path of figure.querySelectorAll('svg.lines path')) {
      drawn[figure.id].lines[path.getAttribute('class')] = path.getAttribute('d');
    }
  }
  return drawn;
}

// --- pictures ------------------------------------------------------------------

// PNG as Chromium writes it: 8 bits, RGB or RGBA, not interlaced.
function decode(png) {
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const size = { 2: 3, 6: 4 }[png[25]];
  const parts = [];
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') {
      parts.push(png.subarray(at + 8, at + 8 + length));
    }
    at += length + 12;
  }
  const raw = inflateSync(Buffer.concat(parts));
  const stride = width * size;
  const pixels = Buffer.alloc(stride * height);
  const paeth = (a, b, c) => {
    const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
  };
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const a = x >= size ? pixels[at - size] : 0;
      const b = y > 0 ? pixels[at - stride] : 0;
      const c = x >= size && y > 0 ? pixels[at - stride - size] : 0;
      const guess = [0, a, b, (a + b) >> 1, paeth(a, b, c)][filter];
      pixels[at] = raw[y * (stride + 1) + 1 + x] + guess;
    }
  }
  return { width, height, size, pixels };
}

// The mean brightness, 0 to 255, and the share of pixels unlike the commonest.
function statistics(png) {
  const { width, height, size, pixels } = decode(png);
  const counts = new Map();
  let sum = 0;
  for (let at = 0; at < pixels.length; at += size) {
    const key = (pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2];
    counts.set(key, (counts.get(key) ?? 0) + 1);
    sum += pixels[at] + pixels[at + 1] + pixels[at + 2];
  }
  const total = width * height;
  return { width, height, mean: sum / total / 3, ink: 1 - Math.max(...counts.values()) / total,
    colours: counts.size };
}

// --- the checks ----------------------------------------------------------------

const LOOKS = {
  light: ['light', 1000], dark: ['dark', 1000], phone: ['light', 400],
  'phone-dark': ['dark', 400], narrow: ['light', 360], print: ['light', 720, 'print'],
};

function lookUp(json, name) {
  return name.split('.').reduce((at, part) => at?.[part], json);
}

function compare(figures, json) {
  const wrong = [];
  const wanted = ['verified', 'connected', 'seconds', 'bytes_sent', 'bytes_received',
    'errors.total', 'client_busy', 'mode', 'address', 'connections', 'loops',
    ...(json.latency_us.count ? ['latency_us.p50', 'latency_us.p99', 'latency_us.max'] : []),
    ...(json.round_trips ? ['round_trips'] : []),
    ...(json.mode !== 'idle' ? ['bytes_per_second'] : []),
    ...(json.round_trips && json.mode !== 'idle' ? ['round_trips_per_second'] : []),
    ...(json.runs.length > 1 ? json.runs.map((_, i) => `runs.${i}.errors_total`) : [])];
  for (const name of wanted) {
    if (!(name in figures)) wrong.push(`${name} is not in the page`);
  }
  for (const [name, value] of Object.entries(figures)) {
    const right = lookUp(json, name);
    if (typeof right === 'number' ? Number(value) !== right || value === '' :
      String(right) !== value) {
      wrong.push(`${name} is ${value} in the page and ${right} in the JSON`);
    }
  }
  return wrong;
}

// A label of an axis, "25 k" or "500 µs", as a number: times in microseconds.
function valueOf(label) {
  const [, digits, unit] = /^([\d.,]+)\s*(.*)$/.exec(label);
  const units = { '': 1, k: 1e3, M: 1e6, G: 1e9, ns: 1e-3, 'µs': 1, ms: 1e3, s: 1e6 };
  return Number(digits.replaceAll(',', '')) * units[unit];
}

function pointsOf(line) {
  return [...line.matchAll(/([ML])(-?[\d.]+) ([\d.]+)/g)].map(([, kind, x, y]) =>
    ({ kind, x: Number(x), y: 1 - Number(y) / 1000 }));
}

// The charts are those that there is something for, and say what the JSON says: the
// mean height of the rate is the rate, the highest latency the largest one.
function compareDrawn(drawn, json) {
  const wrong = [];
  const near = (what, is, right, tolerance) => {
    if (!(Math.abs(is - right) <= tolerance)) wrong.push(`${what} is drawn as ${is}, not ${right}`);
  };
  const wanted = !json.connected ? [] : [json.mode === 'idle' ? 'open' : 'throughput',
    ...(json.latency_us.count && json.mode !== 'idle' ? ['latency'] : []),
    ...(json.latency_us.count ? ['percentiles'] : [])];
  if (String(Object.keys(drawn)) !== String(wanted)) {
    wrong.push(`the charts are ${Object.keys(drawn)}, not ${wanted}`);
  }
  if (drawn.throughput?.lines.l0) {
    const high = valueOf(drawn.throughput.high);
    let area = 0;
    const points = pointsOf(drawn.throughput.lines.l0);
    points.forEach(({ kind, x, y }, i) => {
      if (kind === 'L') area += (x - points[i - 1].x) * (y + points[i - 1].y) / 2;
    });
    const rate = json.mode === 'stream' ? json.bytes_per_second / 2 ** 20
      : json.mode === 'connect' ? json.sessions_per_second : json.round_trips_per_second;
    near('the rate', area / points.at(-1).x * high, rate, 0.002 * high + 0.05);
  }
  if (drawn.latency?.lines.l3) {
    const [low, high] = [valueOf(drawn.latency.low), valueOf(drawn.latency.high)];
    const most = Math.max(...pointsOf(drawn.latency.lines.l3).map(({ y }) => y));
    near('the latency', low * (high / low) ** most, json.latency_us.max,
      0.005 * json.latency_us.max);
  }
  return wrong;
}

// All that is wrong with a page. `keep`: where its pictures go, or nowhere.
async function check(browser, file, json, keep) {
  const wrong = [];
  const pictures = {};
  await browser.look('light', 1000);
  await browser.open(pathToFileURL(file).href);
  const title = await browser.evaluate('() => document.title');
  if (title !== `teller-load: ${json.mode}, ${json.address}`) wrong.push(`title ${title}`);
  wrong.push(...compare(await browser.evaluate(readFigures), json));
  wrong.push(...compareDrawn(await browser.evaluate(readDrawn), json));
  for (const [look, how] of Object.entries(LOOKS)) {
    await browser.look(...how);
    wrong.push(...(await browser.evaluate(inspect)).map((what) => `${look}: ${what}`));
    const png = await browser.picture();
    if (keep) writeFileSync(`${keep}-${look}.png`, png);
    pictures[look] = statistics(png);
    const { ink, colours, width } = pictures[look];
    if (ink < 0.02 || colours < 20) wrong.push(`${look}: (nearly) blank`);
    if (width !== how[1]) wrong.push(`${look}: ${width} pixels wide`);
  }
  if (pictures.light.mean < 180) wrong.push('light is dark');
  if (pictures.dark.mean > 80) wrong.push('dark is light');
  if (browser.asked.length !== 1) wrong.push(`it asked for ${browser.asked}`);
  if (browser.complained.length) wrong.push(`the browser says: ${browser.complained}`);
  return wrong;
}

const FAULTS = {
  'a figure differs': (page) => page.replace('data-name="round_trips" data-value="', '$&1'),
  'a figure is missing': (page) => page.replace('data-name="latency_us.p99"', ''),
  'a chart is missing': (page) => page.replace(/<figure id="latency">[^]*?<\/figure>/, ''),
  'the rate is drawn too low': (page) => page.replaceAll(/(class="l0" d="[^"]*)/g,
    (line) => line.replaceAll(/ [\d.]+(?=L|$)/g, ' 990.0')),
  'the largest latency is not drawn': (page) => page.replace(/(class="l3" d="[^"]*)/,
    (line) => line.replaceAll(/ [\d.]+(?=L|$)/g, ' 900.0')),
  'a chart has no lines': (page) => page.replace(/<path[^>]*\/>/, ''),
  'a label goes on a phone': (page) => page.replace(/class="x"([^>]*>50%)/, 'class="x minor"$1'),
  'a line leaves its chart': (page) => page.replace(/d="M[\d.]+ [\d.]+/, 'd="M-50 4000'),
  'a line is empty': (page) => page.replace(/ d="M[^"]*"/, ' d=""'),
  'lines are not drawn': (page) => page.replaceAll(/stroke: var\(--l\d\)/g, 'stroke: var(--card)'),
  'no dark': (page) => page.replace('prefers-color-scheme: dark', 'prefers-color-scheme: none'),
  'always dark': (page) => page.replace('@media (prefers-color-scheme: dark)', '@media all'),
  'pale text': (page) => page.replace('--soft: #556070', '--soft: #b0b8c0'),
  'nothing is shown': (page) => page.replace('<body>', '<body style="visibility: hidden">'),
  'too wide for a phone': (page) => page.replace('<main>', '<main style="width: 700px">'),
  'labels on each other': (page) =>
    page.replaceAll(/(<text class="y" x="-8" y=)"[\d.]+%"/g, '$1"50%"'),
  'a table is cut off': (page) => page.replace('<table>', '<table style="width: 900px">'),
  'something from elsewhere': (page) => page.replace('</main>', '<img src="missing.png"/></main>'),
};

// --- the programs ----------------------------------------------------------------

function serve() {
  const child = spawn(echoProgram, ['--listen', '127.0.0.1:0'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let said = '';
    child.on('error', reject);
    child.on('exit', () => reject(new Error(`teller-echo is gone: ${said}`)));
    child.stdout.on('data', (data) => {
      said += data;
      const found = /127\.0\.0\.1:[1-9]\d*/.exec(said);
      if (found) resolve({ child, address: found[0] });
    });
  });
}

// An echo that breaks off its n-th connection after 30 n messages or so.
function serveBadly() {
  let accepted = 0;
  const server = createServer((socket) => {
    let left = 30 * ++accepted;
    socket.on('error', () => {});
    socket.on('data', (data) => {
      if (--left > 0) socket.write(data);
      else socket.resetAndDestroy();
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ server, address: `127.0.0.1:${server.address().port}` });
    });
  });
}

// Runs teller-load; resolves with its JSON, and fails unless it ends with that status.
function load(address, options, status) {
  return new Promise((resolve, reject) => {
    execFile(loadProgram, [address, ...options, '--json', '--quiet'], { timeout: 60000 },
      (error, printed, said) => {
        const code = error ? error.code : 0;
        if (code === status) resolve(JSON.parse(printed));
        else reject(new Error(`teller-load ended with ${code}: ${said}`));
      });
  });
}

const RUNS = {
  echo: ['--duration', '4', '--connections', '20'],
  rate: ['--duration', '2', '--rate', '2000', '--connections', '10'],
  stream: ['--mode', 'stream', '--duration', '2', '--connections', '2'],
  connect: ['--mode', 'connect', '--duration', '2', '--connections', '4'],
  broken: ['--duration', '4', '--rate', '1200', '--connections', '12'],
  short: ['--round-trips', '1', '--connections', '1'],
  end: ['--duration', '1.08', '--connections', '4'],
  repeat: ['--duration', '1', '--connections', '4', '--repeat', '3'],
  idle: ['--mode', 'idle', '--duration', '2', '--connections', '30'],
};

async function main() {
  const work = mkdtempSync(join(tmpdir(), 'teller-page-'));
  const started = [];
  let browser;
  let bad;
  let failures = 0;
  const fail = (what) => { failures++; console.log(`FAILED: ${what}`); };
  try {
    mkdirSync(out, { recursive: true });
    const server = await serve();
    started.push(server.child);
    bad = await serveBadly();
    browser = new Browser(chromium, join(work, 'profile'));
    await browser.begin();
    for (const [name, options] of Object.entries(RUNS)) {
      const file = join(out, `${name}.html`);
      const broken = name === 'broken';
      const json = await load(broken ? bad.address : server.address,
        [...options, '--report', file], broken ? 1 : 0);
      const wrong = await check(browser, file, json, join(out, name));
      const marked = readFileSync(file, 'utf8').includes('<rect class="failed"');
      const told = /<li>connection \d+: reset by the server/.test(readFileSync(file, 'utf8'));
      if (told !== broken) wrong.push(`errors are ${told ? '' : 'not '}told`);
      if (marked !== broken) wrong.push(`errors are ${marked ? '' : 'not '}marked`);
      wrong.forEach((what) => fail(`${name}: ${what}`));
      console.log(`${name}: ${wrong.length} wrong`);
      if (name !== 'echo' || wrong.length) continue;
      const page = readFileSync(file, 'utf8');
      for (const [fault, spoil] of Object.entries(FAULTS)) {
        const spoiled = spoil(page);
        const at = join(work, 'spoiled.html');
        writeFileSync(at, spoiled);
        const found = await check(browser, at, json);
        if (spoiled === page) fail(`${fault}: the page is as before`);
        else if (!found.length) fail(`${fault}: and nothing said so`);
        else console.log(`  ${fault}: found out: ${found[0]}`);
      }
    }
  } finally {
    bad?.server.close();
    if (browser) await browser.end().catch(() => {});
    for (const child of started) {
      child.removeAllListeners('exit');
      child.kill('SIGINT');
    }
    rmSync(work, { recursive: true, force: true, maxRetries: 5 });
  }
  console.log(failures ? `${failures} wrong` : `all right; the pictures are in ${out}`);
  process.exitCode = failures ? 1 : 0;
}

await main();
