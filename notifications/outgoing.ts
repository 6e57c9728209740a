import dns from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Where we may send what an address in our settings asks for. */
export interface OutgoingRules {
  httpsOnly: boolean;
  /** Also to addresses that only we can reach: our own host, our network, the cloud's metadata. */
  allowPrivate: boolean;
  /** Absent: any. */
  ports?: readonly number[];
}

export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

export interface Outgoing {
  /** Answers the status, and follows no redirect. */
  post(url: string, sent: { headers: Record<string, string>; body: string; timeoutMs: number }): Promise<number>;
  close(): void;
}

/** The part of IPv6 that is routed by all. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');
/** Public by its number, and yet a cloud's own: Azure's host, which gives its machines their settings. */
const OF_THE_CLOUD = new Set(['168.63.129.16']);

export class NotAllowed extends Error {}

/** Whether an address is one that everybody can reach. What hides an IPv4 address in an IPv6 one is judged by that. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast' || OF_THE_CLOUD.has(parsed.toString())) return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_IPV6);
}

/** What of an address can be judged without asking anybody; undefined where nothing is wrong. */
export function mistakeOf(text: string, { httpsOnly, allowPrivate, ports }: OutgoingRules): string | undefined {
  const url = new URL(text);
  if (url.protocol !== 'https:' && (httpsOnly || url.protocol !== 'http:')) return 'is not https';
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  if (ports && !ports.includes(port)) return `names the port ${port}, and not one of ${ports.join(', ')}`;
  // URL has turned 127.1, 0x7f000001 and the like into 127.0.0.1 by now.
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) && !allowPrivate && !isPublic(literal)) return 'names an address that is not public';
  return undefined;
}

/**
 * Sends only where the rules allow. A name is resolved once, by the connection itself: every address that it has must be
 * allowed, and it connects to one of these and to no other, so an answer that changes afterwards changes nothing.
 */
export function createOutgoing(rules: OutgoingRules, resolve: Resolve = systemResolve): Outgoing {
  const lookup: LookupFunction = (hostname, { all }, done) => {
    allowedAddresses(hostname, rules, resolve).then(
      (addresses) => (all ? done(null, addresses) : done(null, addresses[0]!.address, addresses[0]!.family)),
      (error: NodeJS.ErrnoException) => done(error, ''),
    );
  };
  const agents = {
    http: new http.Agent({ keepAlive: true, lookup }),
    https: new https.Agent({ keepAlive: true, lookup }),
  };
  return {
    async post(url, { headers, body, timeoutMs }) {
      const mistake = mistakeOf(url, rules);
      if (mistake) throw new NotAllowed(`its address ${mistake}`);
      const [{ request }, agent] = url.startsWith('https:') ? [https, agents.https] : [http, agents.http];
      return new Promise((answer, reject) => {
        const options = { method: 'POST', headers, agent, signal: AbortSignal.timeout(timeoutMs) };
        const asked = request(new URL(url), options, (response) => {
          // Its words are of no use, and how it ends is no news.
          response.on('error', () => undefined).resume();
          answer(response.statusCode!);
        });
        asked.on('error', reject).end(body);
      });
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

const systemResolve: Resolve = (hostname) => dns.lookup(hostname, { all: true });

async function allowedAddresses(hostname: string, rules: OutgoingRules, resolve: Resolve): Promise<LookupAddress[]> {
  const addresses = await resolve(hostname);
  if (addresses.length === 0) throw new NotAllowed('its name has no address');
  if (!rules.allowPrivate && !addresses.every(({ address }) => isPublic(address))) {
    throw new NotAllowed('its name has an address that is not public');
  }
  return addresses;
}
