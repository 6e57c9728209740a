import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { decrypt, encrypt, type NamedKey } from '../ledger/aes';

const ENCODING = 'binary/encrypted';
/** As Temporal's own samples name it, and so as people look for it. */
const KEY_ID = 'encryption-key-id';

const proto = temporal.api.common.v1.Payload;

export interface PayloadKeys {
  keys: readonly NamedKey[];
  /** False while processes run that could not open it, or are to: then the keys only open. */
  encrypts: boolean;
}

/** Whole payloads are encrypted under the first key; each that is given opens what it encrypted, and all else is left. */
export function payloadCodec({ keys, encrypts }: PayloadKeys): PayloadCodec {
  const current = keys[0];
  if (!current) throw new Error('A payload codec needs at least one key');
  const byId = new Map(keys.map(({ id, key }) => [id, key]));

  function encode(payload: Payload): Payload {
    const data = encrypt(current!.key, proto.encode(payload).finish(), current!.id);
    return { metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(current!.id) }, data };
  }

  function decode(payload: Payload): Payload {
    if (textOf(payload, 'encoding') !== ENCODING) return payload;
    const id = textOf(payload, KEY_ID) ?? '';
    const key = byId.get(id);
    if (!key) throw new Error(`No key "${id}" of HOLDFAST_PAYLOAD_KEYS is given that opens this payload`);
    return proto.decode(decrypt(key, payload.data ?? new Uint8Array(), id));
  }

  return {
    encode: (payloads) => Promise.resolve(encrypts ? payloads.map(encode) : payloads),
    decode: async (payloads) => payloads.map(decode),
  };
}

function textOf({ metadata }: Payload, name: string): string | undefined {
  const value = metadata?.[name];
  return value && Buffer.from(value).toString();
}

/** For clients and workers alike; undefined leaves payloads readable. The words of failures become payloads, too. */
export function sealedPayloads(payloads: PayloadKeys | undefined): DataConverter | undefined {
  if (!payloads) return undefined;
  const payloadCodecs = [payloadCodec(payloads)];
  if (!payloads.encrypts) return { payloadCodecs };
  return { payloadCodecs, failureConverterPath: require.resolve('./failure-converter') };
}
