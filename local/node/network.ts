import { createHash } from "node:crypto";
import { toAddress } from "../../infra/addresses";

/** The two ends of the cable between this machine and the node in it. */
export interface Link {
  /** The interface here; its name is the node's own, so that two never meet. */
  readonly name: string;
  /** This machine's address on it: where the node finds the API server. */
  readonly host: string;
  /** The node's address. */
  readonly node: string;
  /** Networks behind the node, which this machine reaches through it. */
  readonly routes: readonly string[];
}

/**
 * The link of the node whose folder this is. Its addresses are of 198.18.0.0/15, which RFC 2544 sets apart for
 * benchmarks, so that hardly any network in use has them; which of its 32,768 pairs follows from the folder.
 */
export function planLink(folder: string, routes: readonly string[]): Link {
  const digest = createHash("sha256").update(folder).digest();
  const pair = digest.readUInt16BE(0) >> 1;
  const base = 198 * 2 ** 24 + 18 * 2 ** 16 + pair * 4;
  // An interface's name has 15 characters at most.
  return { name: `wf${digest.toString("hex", 2, 7)}`, host: toAddress(base + 1), node: toAddress(base + 2), routes };
}
