// SPDX-License-Identifier: MIT
// A real browser, for what looks at pages. It is driven through its pipe
// (--remote-debugging-pipe): no port, and nothing to install but the browser.
import { spawn } from 'node:child_process';

const PATIENCE = 60000; // ms, for one answer of the browser

// Runs in the page, as text: what evaluate() gives to what runs there as `tools`.
function makeTools() {
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

  // What is wrong with any page.
  function inspect() {
    const wrong = [];
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
    return wrong;
  }

  // Labels of a chart are apart, and within their card.
  function labels(texts, card) {
    const wrong = [];
    texts.forEach((text, i) => {
      const a = text.getBoundingClientRect();
      if (a.left < card.left || a.right > card.right || a.bottom > card.bottom ||
        a.top < card.top) {
        wrong.push(`outside of it: ${name(text)}`);
      }
      for (const other of texts.slice(i + 1)) {
        const b = other.getBoundingClientRect();
        // Boxes of text have some room above and below their letters.
        if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom - 2 &&
          b.top + 2 < a.bottom - 2) {
          wrong.push(`on each other: ${name(text)}, ${name(other)}`);
        }
      }
    });
    return wrong;
  }

  return { colour, contrast, behind, shown, name, inspect, labels };
}

export class Browser {
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
      if (method === 'Runtime.exceptionThrown') {
        this.complained.push(params.exceptionDetails.exception?.description);
      }
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
      { expression: `((tools) => (${code})())((${makeTools})())`, returnByValue: true });
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
