// SPDX-License-Identifier: MIT
// page.mjs ECHO LOAD CHROMIUM OUT: the report of teller-load (--report) in a real
// browser. Runs the server and the client for some seconds, in several modes;
// reads the figures from the page and compares them with the --json of the same
// run; looks at the charts, at the colours and at pictures of the page in light,
// dark, narrow and printed (they are left in OUT); then spoils the page in
// several ways, each of which has to be found out.
//
// The browser is driven through its pipe (--remote-debugging-pipe): no port, and
// nothing to install but the browser. Ends what it has started, and nothing else.
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { inflateSync } from 'node:zlib';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [echoProgram, loadProgram, chromium, out] = process.argv.slice(2);
if (!out) {
  console.error('page.mjs ECHO LOAD CHROMIUM OUT');
  process.exit(2);
}
const PATIENCE = 60000; // ms, for one answer of the browser

// --- the browser ---------------------------------------------------------------

class Browser {
  constructor(program, profile) {
    this.child = spawn(program, ['--headless', '--no-sandbox', '--disable-gpu',
      '--disable-dev-shm-usage', '--remote-debugging-pipe', '--hide-scrollbars',
      '--no-first-run', '--disable-background-networking', '--disable-sync',
      '--disable-component-update', '--disable-extensions', '--no-proxy-server',
      '--host-resolver-rules=MAP * ~NOTFOUND', `--user-data-dir=${profile}`,
      'about:blank'], { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
    this.said = '';
    this.child.stderr.on('data', (data) => { this.said += data; });
    this.child.on('error', (error) => this.fail(error));
    this.child.on('exit', () => this.fail(new Error(`the browser is gone: ${this.said}`)));
    this.child.stdio[3].on('error', () => {}); // it is gone: see above
    this.next = 1;
    this.waiting = new Map();
    this.listeners = [];
    let rest = Buffer.alloc(0);
    this.child.stdio[4].on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      for (let end; (end = rest.indexOf(0)) >= 0; rest = rest.subarray(end + 1)) {
        this.take(JSON.parse(rest.subarray(0, end).toString()));
      }
    });
  }

  take(message) {
    const waiting = this.waiting.get(message.id);
    if (!waiting) {
      this.listeners.forEach((listener) => listener(message));
    } else if (message.error) {
      waiting.reject(new Error(JSON.stringify(message.error)));
    } else {
      waiting.resolve(message.result);
    }
  }

  fail(error) {
    for (const waiting of this.waiting.values()) waiting.reject(error);
  }

  send(method, params = {}, sessionId = this.session) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), PATIENCE);
      const settle = (how) => (value) => {
        clearTimeout(timer);
        this.waiting.delete(id);
        how(value);
      };
      this.waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  // Resolves with what that event of the page says.
  event(method) {
    return new Promise((resolve) => {
      this.listeners.push((message) => message.method === method && resolve(message.params));
    });
  }

  async begin() {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    this.session = sessionId;
    this.asked = [];
    this.complained = [];
    this.listeners.push(({ method, params }) => {
      if (method === 'Network.requestWillBeSent') this.asked.push(params.request.url);
      if (method === 'Log.entryAdded') this.complained.push(params.entry.text);
    });
    for (const domain of ['Page', 'Network', 'Log', 'Runtime']) {
      await this.send(`${domain}.enable`);
    }
  }

  async open(url) {
    this.asked.length = 0;
    this.complained.length = 0;
    const loaded = this.event('Page.loadEventFired');
    await this.send('Page.navigate', { url });
    await loaded;
  }

  async look(scheme, width, media = 'screen') {
    await this.send('Emulation.setEmulatedMedia',
      { media, features: [{ name: 'prefers-color-scheme', value: scheme }] });
    await this.send('Emulation.setDeviceMetricsOverride',
      { width, height: 800, deviceScaleFactor: 1, mobile: width < 500 });
  }

  async evaluate(code) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate',
      { expression: `(${code})()`, returnByValue: true });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  }

  async picture() {
    const { data } = await this.send('Page.captureScreenshot',
      { format: 'png', captureBeyondViewport: true });
    return Buffer.from(data, 'base64');
  }

  async end() {
    const gone = new Promise((resolve) => this.child.on('exit', resolve));
    await this.send('Browser.close', {}, undefined).catch(() => this.child.kill('SIGKILL'));
    await gone;
  }
}

// --- in the page ---------------------------------------------------------------

// These two run in the browser, as text.
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
  const wrong = [];
  const colour = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);
  const luminance = (rgb) => rgb
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const is = getComputedStyle(at).backgroundColor;
      if (!/, 0\)$|transparent/.test(is)) return colour(is);
    }
    return [255, 255, 255];
  };
  const shown = (element) => element.getClientRects().length > 0;
  const name = (element) => 
    `${element.localName} "${element.textContent.trim().replaceAll(/\s+/g, ' ').slice(0, 30)}"`;

  // What can be read has enough contrast (WCAG 2, AA).
  for (const element of document.querySelectorAll('h1, h2, p, th, td, dt, dd, b, span, text')) {
    if (!shown(element) || !element.textContent.trim()) continue;
    const style = getComputedStyle(element);
    const has = contrast(colour(element.localName === 'text' ? style.fill : style.color),
      behind(element));
    if (!(has >= 4.5)) wrong.push(`contrast ${has.toFixed(2)}: ${name(element)}`);
  }

  if (document.documentElement.scrollWidth > innerWidth) {
    wrong.push(`${document.documentElement.scrollWidth} pixels wide, of ${innerWidth}`);
  }
  for (const table of document.querySelectorAll('section, .tiles div')) {
    if (table.scrollWidth > table.clientWidth) wrong.push(`${name(table)} is cut off`);
  }
  if (document.querySelector('script, link, img, iframe, object, embed')) {
    wrong.push('not all of it is in the page');
  }

  // The charts: what is drawn is within the box; labels are apart, and in the card.
  const figures = document.querySelectorAll('figure');
  if (figures.length !== 3) wrong.push(`${figures.length} charts`);
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
    if (texts.length < 5) wrong.push(`${figure.id}: no labels`);
    texts.forEach((text, i) => {
      const a = text.getBoundingClientRect();
      if (a.left < card.left || a.right > card.right || a.bottom > card.bottom ||
        a.top < card.top) {
        wrong.push(`${figure.id}: outside of it: ${name(text)}`);
      }
      for (const other of texts.slice(i + 1)) {
        const b = other.getBoundingClientRect();
        // Boxes of text have some room above and below their letters.
        if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom - 2 &&
          b.top + 2 < a.bottom - 2) {
          wrong.push(`${figure.id}: on each other: ${name(text)}, ${name(other)}`);
        }
      }
    });
  }
  return wrong;
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
    'bytes_per_second', 'errors.total', 'client_busy', 'mode', 'address', 'connections', 'loops',
    ...(json.latency_us.count ? ['latency_us.p50', 'latency_us.p99', 'latency_us.max'] : []),
    ...(json.round_trips ? ['round_trips', 'round_trips_per_second'] : []),
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

// All that is wrong with a page. `keep`: where its pictures go, or nowhere.
async function check(browser, file, json, keep) {
  const wrong = [];
  const pictures = {};
  await browser.look('light', 1000);
  await browser.open(pathToFileURL(file).href);
  const title = await browser.evaluate('() => document.title');
  if (title !== `teller-load: ${json.mode}, ${json.address}`) wrong.push(`title ${title}`);
  wrong.push(...compare(await browser.evaluate(readFigures), json));
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
  'a chart has no lines': (page) => page.replace(/<path[^>]*\/>/, ''),
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
      const marked = readFileSync(file, 'utf8').includes('<path class="failed"');
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
