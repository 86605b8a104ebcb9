import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { overlaps, parseCidr, parseImage, type Cidr } from "../../../infra/addresses";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("networks", () => {
  it("reads an IPv4 network by its parts", () => {
    expect(parseCidr("10.42.0.0/16")).toEqual({ ok: { text: "10.42.0.0/16", address: "10.42.0.0", prefix: 16 } });
  });

  it.each(["10.42.0.0", "10.42.0.0/33", "10.42.0/16", "10.42.0.0/16/1", "fd00::/64", "10.42.0.0/x", "300.0.0.0/8"])(
    "refuses %j",
    (text) => {
      expect(parseCidr(text)).toEqual({
        error: { limit: "must be an IPv4 network in CIDR form", fix: 'write it as "10.42.0.0/16"' },
      });
    },
  );

  it("refuses host bits and names the network that holds them", () => {
    expect(parseCidr("10.42.7.1/16")).toEqual({
      error: { limit: "has host bits set below /16", fix: 'write "10.42.0.0/16"' },
    });
    expect(parseCidr("255.255.255.255/1")).toHaveProperty("error.fix", 'write "128.0.0.0/1"');
  });

  it.each([
    ["10.42.0.0/16", "10.43.0.0/16", false],
    ["10.42.0.0/16", "10.42.128.0/17", true],
    ["10.42.128.0/17", "10.42.0.0/16", true],
    ["10.0.0.0/8", "10.0.0.0/8", true],
    ["10.42.0.0/15", "10.43.0.0/16", true],
  ])("knows whether %s and %s overlap: %s", (a, b, expected) => {
    expect(overlaps(network(a), network(b))).toBe(expected);
  });

  it("finds overlaps in either order", () => {
    const cidr = fc.tuple(fc.integer({ min: 8, max: 24 }), fc.nat(2 ** 24 - 1)).map(([prefix, bits]) => {
      const size = 2 ** (32 - prefix);
      const start = Math.floor((10 * 2 ** 24 + bits) / size) * size;
      return network(`${[24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join(".")}/${prefix}`);
    });
    fc.assert(
      fc.property(cidr, cidr, (a, b) => {
        expect(overlaps(a, b)).toBe(overlaps(b, a));
      }),
    );
  });
});

describe("images", () => {
  it("reads registry, repository, tag and digest", () => {
    expect(parseImage(`registry.example.com:5000/shop/checkout:1.4.2@${DIGEST}`)).toEqual({
      ok: {
        text: `registry.example.com:5000/shop/checkout:1.4.2@${DIGEST}`,
        registry: "registry.example.com:5000",
        repository: "shop/checkout",
        tag: "1.4.2",
        digest: DIGEST,
      },
    });
  });

  it("takes a digest without a tag, and `latest` beside a digest", () => {
    expect(parseImage(`localhost/fn@${DIGEST}`)).toHaveProperty("ok.digest", DIGEST);
    expect(parseImage(`registry.example.com/fn:latest@${DIGEST}`)).toHaveProperty("ok.tag", "latest");
  });

  it.each([
    ["registry.example.com/fn", "has no tag and no digest"],
    ["registry.example.com/fn:latest", "`latest` can be neither reproduced nor rolled back"],
    ["shop/checkout:1.0.0", "must be an image reference with its registry"],
    ["checkout:1.0.0", "must be an image reference with its registry"],
    ["registry.example.com/Checkout:1.0.0", "must be an image reference with its registry"],
    [`registry.example.com/fn@${DIGEST.slice(0, -1)}`, "must be an image reference with its registry"],
  ])("refuses %s: %s", (text, limit) => {
    expect(parseImage(text)).toHaveProperty("error.limit", limit);
  });
});

function network(text: string): Cidr {
  const parsed = parseCidr(text);
  if ("error" in parsed) throw new Error(`${text} ${parsed.error.limit}`);
  return parsed.ok;
}
