// Documents behind ETag and If-Match, as a good Express developer would write them:
// one row a document, one guarded statement a write, SQLite durable at every commit.
//
//   node server.js --data FILE --port PORT

import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import express from 'express';

const { values: options } = parseArgs({
  options: { data: { type: 'string' }, port: { type: 'string' } },
});

const database = new Database(options.data);
database.pragma('journal_mode = WAL');
database.pragma('synchronous = FULL');
database.exec(`CREATE TABLE IF NOT EXISTS documents (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  body TEXT NOT NULL
)`);

const select = database.prepare('SELECT version, body FROM documents WHERE id = ?');
const selectVersion = database.prepare('SELECT version FROM documents WHERE id = ?').pluck();
const insert = database.prepare(
  'INSERT INTO documents (id, version, body) VALUES (?, 1, ?) ON CONFLICT DO NOTHING',
);
const update = database.prepare(
  'UPDATE documents SET version = version + 1, body = ? WHERE id = ? AND version = ?',
);

const page = database.prepare(
  'SELECT id, version, body FROM documents WHERE id > ? ORDER BY id LIMIT ?',
);
const filteredPage = database.prepare(
  `SELECT id, version, body FROM documents
   WHERE id > ? AND json_extract(body, '$.priority') = ? ORDER BY id LIMIT ?`,
);

const PAGE_SIZE = 100;
const PAGE_SIZE_MAX = 1000;

const tagOf = (version) => `"${version}"`;

/** Whether `If-Match` (a list of tags, or `*`) names this version. */
function matches(field, version) {
  const tag = tagOf(version);
  return field === tag || field === '*' || field.split(',').some((item) => item.trim() === tag);
}

/** RFC 7396. */
function mergePatch(target, patch) {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const isObject = target !== null && typeof target === 'object' && !Array.isArray(target);
  const result = isObject ? target : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

/** Saves over the version that the client saw: 204 with the new tag, or 412. */
function replace(request, response, version, body) {
  const saved = update.run(body, request.params.id, version).changes === 1;
  if (!saved) return response.sendStatus(412);
  return response.set('ETag', tagOf(version + 1)).status(204).end();
}

const app = express();
app.disable('x-powered-by');
app.set('etag', false);
app.use(
  express.json({
    type: ['application/json', 'application/merge-patch+json'],
    limit: '4mb',
    strict: false,
  }),
);

// Ordered by id; a page goes on after the last id of the one before. The documents are
// JSON already and are not read as such.
app.get('/bench', (request, response) => {
  const { _limit: limit = PAGE_SIZE, _after: after = '', priority } = request.query;
  const count = Math.min(Number(limit), PAGE_SIZE_MAX);
  if (!Number.isInteger(count) || count < 1) return response.sendStatus(400);
  const rows =
    priority === undefined
      ? page.all(after, count)
      : filteredPage.all(after, Number(priority), count);
  const items = rows.map(
    ({ id, version, body }) =>
      `{"id":${JSON.stringify(id)},"etag":${JSON.stringify(tagOf(version))},"document":${body}}`,
  );
  const next = rows.length === count ? rows[count - 1].id : null;
  const text = `{"items":[${items.join(',')}],"next":${JSON.stringify(next)}}`;
  return response.type('application/json').send(text);
});

app.get('/bench/:id', (request, response) => {
  const row = select.get(request.params.id);
  if (row === undefined) return response.sendStatus(404);
  // `send` answers 304 by itself when If-None-Match names this tag.
  return response.set('ETag', tagOf(row.version)).type('application/json').send(row.body);
});

app.put('/bench/:id', (request, response) => {
  const { id } = request.params;
  const body = JSON.stringify(request.body);
  if (request.get('If-None-Match') === '*') {
    if (insert.run(id, body).changes === 0) return response.sendStatus(412);
    return response.set('ETag', tagOf(1)).location(`/bench/${id}`).status(201).end();
  }
  const expected = request.get('If-Match');
  if (expected === undefined) return response.sendStatus(428);
  const version = selectVersion.get(id);
  if (version === undefined || !matches(expected, version)) return response.sendStatus(412);
  return replace(request, response, version, body);
});

app.patch('/bench/:id', (request, response) => {
  const expected = request.get('If-Match');
  if (expected === undefined) return response.sendStatus(428);
  const row = select.get(request.params.id);
  if (row === undefined) return response.sendStatus(404);
  if (!matches(expected, row.version)) return response.sendStatus(412);
  const merged = mergePatch(JSON.parse(row.body), request.body);
  return replace(request, response, row.version, JSON.stringify(merged));
});

const server = app.listen(Number(options.port), '127.0.0.1', (error) => {
  if (error) throw error;
});

process.on('SIGTERM', () => {
  server.close(() => database.close());
  server.closeAllConnections();
});
