import { temporal } from '@temporalio/proto';
import * as proto from '@temporalio/proto';
import { patchProtobufRoot } from '@temporalio/proto/lib/patch-protobuf-root';

type History = temporal.api.history.v1.IHistory;

interface ProtoJson {
  toJson(type: unknown, message: unknown): unknown;
  fromJson(type: unknown, json: unknown, options: { ignoreUnknownFields: boolean }): History;
}

/**
 * Histories as JSON files, in the form that Temporal's other tools read and write too. The SDK's own functions for it
 * ask "is this one of my types?" of a copy of protobufjs that isn't the one its types are made with, wherever npm
 * installs more than one; this asks the copy that they are made with.
 */
// eslint-disable-next-line @typescript-eslint/no-require-imports -- found from where another package is
const protoJson = require(
  require.resolve('protobufjs/ext/protojson', { paths: [require.resolve('@temporalio/proto')] }),
) as ProtoJson;

const root = patchProtobufRoot(proto) as unknown as { lookupType(name: string): unknown };
const historyType = root.lookupType('temporal.api.history.v1.History');

export function writeHistory(history: History): string {
  const message = temporal.api.history.v1.History.fromObject(history);
  const json = JSON.stringify(protoJson.toJson(historyType, message), null, 2);
  // Stack traces say where a checkout lies; a committed history should not.
  return json.replaceAll(`${process.cwd()}/`, '');
}

export function readHistory(json: string): History {
  return protoJson.fromJson(historyType, JSON.parse(json), { ignoreUnknownFields: true });
}
