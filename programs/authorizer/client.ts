import { BlockList, isIP } from "node:net";

/** Tells a client's address from what the gateway says of a request's way. */
export class ClientAddresses {
  private readonly trusted = new BlockList();

  /** @param trustedProxies networks, as `10.0.0.0/8` */
  constructor(trustedProxies: readonly string[]) {
    for (const network of trustedProxies) {
      const [address = "", prefix = "32"] = network.split("/");
      this.trusted.addSubnet(address, Number(prefix), "ipv4");
    }
  }

  /**
   * The address that the last trusted proxy saw. `forwardedFor` is X-Forwarded-For as the gateway hands it on: its last
   * item is who connected to the gateway; each one before it was said by the one behind it, so that nothing counts that
   * an untrusted one has said. An item that is no address ends the search: whoever said it is the client.
   */
  of(forwardedFor: string): string {
    const hops = forwardedFor.split(",").map(bareAddress);
    let client = hops.pop() ?? "";
    while (this.isTrusted(client) && hops.length > 0) {
      const before = hops.pop() ?? "";
      if (isIP(before) === 0) break;
      client = before;
    }
    return bucketAddress(client);
  }

  private isTrusted(address: string): boolean {
    return isIP(address) === 4 && this.trusted.check(address, "ipv4");
  }
}

/** Without spaces, brackets and port, and an IPv4 address as itself where it came in IPv6's clothes. */
function bareAddress(item: string): string {
  const text = item.trim();
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1];
  const address = bracketed ?? (/^[\d.]+:\d+$/.test(text) ? text.slice(0, text.indexOf(":")) : text);
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

/** One household has a whole /64 of IPv6: its addresses share a budget. */
function bucketAddress(address: string): string {
  if (isIP(address) !== 6) return address;
  const groups = expand(address).slice(0, 4);
  return `${groups.join(":")}::/64`;
}

function expand(address: string): string[] {
  const [head = "", tail] = address.toLowerCase().split("%", 1)[0]!.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0");
  return [...left, ...zeros, ...right].map((group) => group.replace(/^0+(?=.)/, ""));
}
