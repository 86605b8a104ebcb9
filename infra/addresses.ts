import { BlockList, isIPv4 } from "node:net";
import type { Parsed } from "./units";

/** An IPv4 network; the platform's pods and services are IPv4, as K3s sets them up by default. */
export interface Cidr {
  readonly text: string;
  readonly address: string;
  readonly prefix: number;
}

/** `10.42.0.0/16`: an IPv4 network whose host bits are zero. */
export function parseCidr(text: string): Parsed<Cidr> {
  const [address = "", prefixText = "", ...rest] = text.split("/");
  const prefix = Number(prefixText);
  if (rest.length > 0 || !isIPv4(address) || !/^\d{1,2}$/.test(prefixText) || prefix > 32) {
    return { error: { limit: "must be an IPv4 network in CIDR form", fix: 'write it as "10.42.0.0/16"' } };
  }
  const network = toAddress(maskOf(toNumber(address), prefix));
  if (network !== address) {
    return { error: { limit: `has host bits set below /${prefix}`, fix: `write "${network}/${prefix}"` } };
  }
  return { ok: { text, address, prefix } };
}

/** First and last address, as numbers, of a network or of a range `192.0.2.240-192.0.2.250`. */
export function parseRange(text: string): Parsed<{ readonly first: number; readonly last: number }> {
  if (!text.includes("-")) {
    const network = parseCidr(text);
    return "error" in network ? network : { ok: bounds(network.ok) };
  }
  const ends = text.split("-");
  const [first = 0, last = 0] = ends.map(toNumber);
  return ends.length === 2 && ends.every((end) => isIPv4(end)) && first <= last
    ? { ok: { first, last } }
    : {
        error: {
          limit: "must go from one IPv4 address to the same or a later one",
          fix: 'write it as "192.0.2.240-192.0.2.250"',
        },
      };
}

/** First and last address of a network, as numbers. */
export function bounds({ address, prefix }: Cidr): { readonly first: number; readonly last: number } {
  const first = toNumber(address);
  return { first, last: first + 2 ** (32 - prefix) - 1 };
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  const [wide, narrow] = a.prefix <= b.prefix ? [a, b] : [b, a];
  const list = new BlockList();
  list.addSubnet(wide.address, wide.prefix, "ipv4");
  return list.check(narrow.address, "ipv4");
}

/** The address at this place of a network, counted from its own. */
export function addressAt(network: Cidr, place: number): string {
  return toAddress(toNumber(network.address) + place);
}

function toNumber(address: string): number {
  return address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

function maskOf(address: number, prefix: number): number {
  const size = 2 ** (32 - prefix);
  return Math.floor(address / size) * size;
}

/** An address in its usual form, of the number that it is. */
export function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** A container image by its parts; it is always pinned by a tag or a digest. */
export interface ImageRef {
  /** The whole reference as Kubernetes takes it. */
  readonly text: string;
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

const IMAGE = new RegExp(
  "^(?<registry>[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\\d{1,5})?)/" +
    "(?<repository>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)" +
    "(?::(?<tag>[\\w][\\w.-]{0,127}))?(?:@(?<digest>sha256:[a-f0-9]{64}))?$",
);

/**
 * `registry.example.com/shop/checkout:1.4.2` or `…@sha256:…`. The registry is part of it (the node's default
 * registry is nothing to rely on), and so is a tag other than `latest` or a digest.
 */
export function parseImage(text: string): Parsed<ImageRef> {
  const groups = IMAGE.exec(text)?.groups;
  if (!groups?.["registry"] || !groups["repository"] || !/[.:]|^localhost$/.test(groups["registry"])) {
    return {
      error: {
        limit: "must be an image reference with its registry",
        fix: 'write it as "registry.example.com/shop/checkout:1.4.2"',
      },
    };
  }
  const { registry, repository, tag, digest } = groups as {
    registry: string;
    repository: string;
    tag?: string;
    digest?: string;
  };
  if (tag === undefined && digest === undefined) {
    return { error: { limit: "has no tag and no digest", fix: `pin it: "${text}:1.0.0" or "${text}@sha256:…"` } };
  }
  if (tag === "latest" && digest === undefined) {
    return {
      error: { limit: "`latest` can be neither reproduced nor rolled back", fix: "pin a version tag or a digest" },
    };
  }
  return {
    ok: { text, registry, repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) },
  };
}

/** Where an image's repository is, as a prefix: `registry.example.com/shop/`, or the registry where there is no folder. */
export function folderOf({ registry, repository }: ImageRef): string {
  const name = `${registry}/${repository}`;
  return name.slice(0, name.lastIndexOf("/") + 1);
}
