import { isIPv4 } from "node:net";
import { z } from "zod";
import * as field from "./config-fields";
import { check, section } from "./config-fields";

/** The secret of `sshKeys` by which hosts are entered that name no other. */
const DEFAULT_KEY = "default";

const hostKey = field.pattern(/^(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]{30,}={0,2}$/, {
  limit: "must be a host's public key: its type and its base64 text, without a comment",
  fix: "take it from the host's own /etc/ssh/ssh_host_ed25519_key.pub",
});

/** How a machine is entered by SSH. */
const login = {
  /** Its address or name, as seen from where Pulumi runs. */
  host: z.string().min(1),
  port: field.port.default(22),
  /** Root, or a user that `sudo` asks for no password. */
  user: field
    .pattern(/^[a-z_][a-z0-9_-]{0,31}$/, { limit: "must be a Linux user's name", fix: 'for example "deploy"' })
    .prefault("root"),
  /** Which private key of the secret `sshKeys` opens it. */
  key: field.dnsLabel.prefault(DEFAULT_KEY),
  /** What it proves itself by; whoever answers with another key is refused. */
  hostKey: hostKey.optional(),
  /** Believe whoever answers at the address: for machines that are thrown away. */
  hostKeyUnchecked: z.boolean().default(false),
};

const oneHostKey = ({ hostKey, hostKeyUnchecked }: { hostKey?: string | undefined; hostKeyUnchecked: boolean }) =>
  (hostKey === undefined) === !hostKeyUnchecked && {
    path: ["hostKey"],
    value: hostKey === undefined ? "missing" : "set beside hostKeyUnchecked",
    limit: "a host proves itself by its key, or is believed on purpose",
    fix:
      hostKey === undefined
        ? "set it from the host's /etc/ssh/ssh_host_ed25519_key.pub, or hostKeyUnchecked: true for a disposable one"
        : "drop hostKeyUnchecked",
  };

const bastion = section(login).superRefine(check((host) => [oneHostKey(host)]));

const taint = section({
  key: field.pattern(/^[a-z0-9A-Z./_-]{1,253}$/, { limit: "must be a taint's key", fix: 'for example "dedicated"' }),
  value: z.string().max(63).optional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
});

const bareHost = section({
  /** Its name in the cluster, for good: a host of another name is another node. */
  name: field.dnsLabel,
  ...login,
  /** The IPv4 address by which the other nodes reach it. Default: `host`. */
  address: z.string().optional(),
  architecture: z.enum(["amd64", "arm64"]).default("amd64"),
  /** Through which machine SSH goes to it. */
  bastion: bastion.optional(),
  /** Beside those that the plan gives each agent; K3s sets them when the node registers. */
  labels: z.record(z.string(), z.string()).default({}),
  /** Set when the node registers; a later change is made with `kubectl taint`. */
  taints: z.array(taint).default([]),
}).superRefine(
  check((host) => [
    oneHostKey(host),
    !isIPv4(host.address ?? host.host) && {
      path: ["address"],
      value: host.address ?? "missing",
      limit: "nodes reach each other by IPv4 addresses",
      fix: host.address === undefined ? "set it, as host is a name" : 'for example "192.0.2.11"',
    },
  ]),
);

/** A bare Linux host that becomes a node. */
export const host = bareHost.transform((given) => ({ ...given, address: given.address ?? given.host }));
