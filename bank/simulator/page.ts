import type { Express } from 'express';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Holdfast's bank simulator</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/page.css" />
  </head>
  <body>
    <h1>Bank simulator</h1>
    <p>A bank of its own, with its own books. No money here is real.</p>
    <p id="said" role="status"></p>
    <h2>Balances</h2>
    <table>
      <thead><tr><th>Currency</th><th>Balance, minor units</th><th>Sum of the statement</th></tr></thead>
      <tbody id="balances"></tbody>
    </table>
    <p><span id="waiting">0</span> events wait to be told.</p>
    <h2>Somebody pays in</h2>
    <form id="credit">
      <label>Virtual account <input name="virtualAccount" required maxlength="64" /></label>
      <label>Amount, minor units <input name="amountMinor" required pattern="[1-9][0-9]{0,17}" value="1000" /></label>
      <label>Currency <input name="currency" required pattern="[A-Z]{3}" value="SGD" size="4" /></label>
      <label>Payer <input name="payer" required maxlength="200" value="A friend" /></label>
      <button>Pay in</button>
    </form>
    <h2>Faults</h2>
    <form id="faults">
      <table>
        <thead>
          <tr><th>On</th><th>Fault</th><th>What it does</th><th>Probability</th><th>Times</th><th>Only</th></tr>
        </thead>
        <tbody id="known"></tbody>
      </table>
      <label>Seed <input name="seed" maxlength="200" /></label>
      <button>Set faults</button>
    </form>
    <h2>Requests, the latest first</h2>
    <table>
      <thead>
        <tr><th>Reference</th><th>Kind</th><th>Amount</th><th>Account</th><th>State</th><th>Reason</th><th>Came</th></tr>
      </thead>
      <tbody id="requests"></tbody>
    </table>
    <script src="/page.js"></script>
  </body>
</html>
`;

const STYLE = `body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.2rem 0.6rem; border-bottom: 1px solid #8884; vertical-align: top; }
td { overflow-wrap: anywhere; }
label { margin-right: 1rem; white-space: nowrap; }
td input:not([type]) { width: 5rem; }
#said { min-height: 1.5em; font-weight: 600; }
`;

const SCRIPT = `const byId = (id) => document.getElementById(id);
const say = (text) => { byId('said').textContent = text; };

async function call(method, path, body) {
  const options = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(path, { method, ...options });
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.error.message);
  return json;
}

function row(cells) {
  const tr = document.createElement('tr');
  for (const cell of cells) {
    const td = document.createElement('td');
    td.append(cell ?? '');
    tr.append(td);
  }
  return tr;
}

function input(properties) {
  return Object.assign(document.createElement('input'), properties);
}

async function refresh() {
  const { requests, balances, eventsWaiting } = await call('GET', '/overview');
  byId('waiting').textContent = eventsWaiting;
  byId('balances').replaceChildren(...balances.map((b) => row([b.currency, b.amountMinor, b.statementSumMinor])));
  byId('requests').replaceChildren(...requests.map((r) => row([
    r.reference, r.kind, r.amountMinor && r.amountMinor + ' ' + r.currency,
    r.accountEnding && '…' + r.accountEnding, r.state, r.reason, new Date(r.receivedAt).toLocaleTimeString(),
  ])));
}

let shown = { faults: [] };

/** What the table has no field for, such as a delay, stays as it was set. */
const kept = (name) => shown.faults.find((fault) => fault.name === name);

async function showFaults() {
  shown = await call('GET', '/faults');
  byId('faults').elements.seed.value = shown.seed;
  byId('known').replaceChildren(...Object.entries(shown.known).map(([name, what]) => {
    const fault = kept(name);
    const kinds = document.createElement('select');
    for (const kind of ['', 'collection', 'payout']) kinds.add(new Option(kind || 'any', kind));
    kinds.value = fault?.kind ?? '';
    kinds.className = 'kind';
    const tr = row([
      input({ type: 'checkbox', checked: Boolean(fault), className: 'on' }), name, what,
      input({ value: fault?.probability ?? 1, className: 'probability' }),
      input({ value: fault?.times ?? '', placeholder: 'always', className: 'times' }), kinds,
    ]);
    tr.dataset.name = name;
    return tr;
  }));
}

byId('faults').addEventListener('submit', (event) => {
  event.preventDefault();
  const faults = [...byId('known').rows].filter((tr) => tr.querySelector('.on').checked).map((tr) => {
    const value = (field) => tr.querySelector('.' + field).value.trim();
    const { times, kind, ...others } = kept(tr.dataset.name) ?? {};
    return {
      ...others, name: tr.dataset.name, probability: Number(value('probability')),
      ...(value('times') !== '' && { times: Number(value('times')) }), ...(value('kind') && { kind: value('kind') }),
    };
  });
  call('PUT', '/faults', { seed: byId('faults').elements.seed.value, faults })
    .then(() => say(faults.length + ' faults are on'), (error) => say(error.message)).then(showFaults);
});

byId('credit').addEventListener('submit', (event) => {
  event.preventDefault();
  call('POST', '/v1/virtual-credits', Object.fromEntries(new FormData(event.target)))
    .then((credit) => say('Paid in: ' + credit.creditId), (error) => say(error.message)).then(refresh);
});

const again = () => refresh().catch((error) => say(error.message));
showFaults().then(again, (error) => say(error.message));
setInterval(again, 2000);
`;

/** It works with no network but this server, and nothing may be written into it by what it shows. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none';" +
  " form-action 'none'; frame-ancestors 'none'";

export function pageRoutes(app: Express): void {
  for (const [path, type, text] of [
    ['/', 'html', PAGE],
    ['/page.css', 'css', STYLE],
    ['/page.js', 'js', SCRIPT],
  ] as const) {
    app.get(path, (_req, res) => {
      res.setHeader('Content-Security-Policy', POLICY);
      res.setHeader('X-Content-Type-Options', 'nosniff');
      res.setHeader('Cache-Control', 'no-cache');
      res.type(type).send(text);
    });
  }
}
