import { expect, it } from "vitest";
import { ClientAddresses } from "../../../../programs/authorizer/client";

const client = new ClientAddresses(["10.0.0.0/8", "192.0.2.1/32"]);

it.each([
  ["who connected, where no proxy is in between", "203.0.113.9", "203.0.113.9"],
  ["what a trusted proxy saw", "203.0.113.9, 10.1.2.3", "203.0.113.9"],
  ["what the first of several trusted proxies saw", "203.0.113.9, 192.0.2.1, 10.1.2.3", "203.0.113.9"],
  ["nothing that a client says of itself", "1.2.3.4, 203.0.113.9, 10.1.2.3", "203.0.113.9"],
  ["who connected, whatever it says, where that is no trusted proxy", "1.2.3.4, 203.0.113.9", "203.0.113.9"],
  ["a trusted proxy itself, where it names nobody", "10.1.2.3", "10.1.2.3"],
  ["a trusted proxy that hands on no address", "unknown, 10.1.2.3", "10.1.2.3"],
  ["an address with a port", "203.0.113.9:51234, 10.1.2.3", "203.0.113.9"],
  ["IPv4 in IPv6's clothes, as itself", "203.0.113.9, ::ffff:10.1.2.3", "203.0.113.9"],
  ["an IPv6 household", "[2001:db8:7:1:aaaa::9]:443, 10.1.2.3", "2001:db8:7:1::/64"],
  ["the same household in another spelling", "2001:0DB8:0007:0001::1", "2001:db8:7:1::/64"],
  ["nobody, where nothing is known", "", ""],
])("takes for the client %s", (_, forwardedFor, address) => {
  expect(client.of(forwardedFor)).toBe(address);
});
