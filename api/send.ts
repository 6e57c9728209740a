import type { Response } from 'express';

const JSON_TYPE = 'application/json; charset=utf-8';

/** Answers JSON. Leaner than Express's own, which looks up settings, etags and freshness for every answer. */
export function sendJson(res: Response, status: number, body: unknown, type: string = JSON_TYPE): void {
  const text = JSON.stringify(body);
  res.statusCode = status;
  res.setHeader('Content-Type', type);
  res.setHeader('Content-Length', Buffer.byteLength(text));
  res.end(text);
}

export function sendNothing(res: Response): void {
  res.statusCode = 204;
  res.end();
}
