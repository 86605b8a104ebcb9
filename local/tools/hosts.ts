import { connect } from "node:net";
import { RELEASE_HOSTS, type ReleaseHost } from "../../infra/versions";

/** Milliseconds in which a host has to accept a connection, before it counts as out of reach. */
const CONNECT_TIMEOUT = 5_000;

/** Base URLs of the publishers; tests put a loopback server in their place. */
export type HostUrls = Readonly<Record<ReleaseHost, string>>;

export interface Hosts {
  readonly urls: HostUrls;
  /** Why a host cannot be reached, or undefined when it can. Tried once for each host, then remembered. */
  unreachable(host: ReleaseHost): Promise<string | undefined>;
  /** Takes a host out for the rest of the run: it took the connection, but then served nothing. */
  giveUp(host: ReleaseHost, reason: string): void;
}

export function createHosts(note: (text: string) => void, urls: HostUrls = RELEASE_HOSTS): Hosts {
  const known = new Map<ReleaseHost, Promise<string | undefined>>();
  const told = new Set<string>();
  const tell = (host: ReleaseHost, reason: string) => {
    const name = new URL(urls[host]).host;
    if (!told.has(name)) note(`${name} is out of reach (${reason}): what it offers is built from source`);
    told.add(name);
  };
  return {
    urls,
    unreachable(host) {
      const before = known.get(host);
      if (before) return before;
      const tried = tryConnect(new URL(urls[host])).then((reason) => {
        if (reason !== undefined) tell(host, reason);
        return reason;
      });
      known.set(host, tried);
      return tried;
    },
    giveUp(host, reason) {
      tell(host, reason);
      known.set(host, Promise.resolve(reason));
    },
  };
}

/** A plain connection is enough: where only package registries are reached, it is the name or the port that fails. */
function tryConnect(url: URL): Promise<string | undefined> {
  return new Promise((resolve) => {
    const port = Number(url.port) || (url.protocol === "http:" ? 80 : 443);
    const socket = connect({ host: url.hostname, port });
    const end = (reason: string | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reason);
    };
    // Not the socket's own timeout, which does not count the look-up of the name.
    const timer = setTimeout(() => end(`no answer in ${CONNECT_TIMEOUT / 1000} s`), CONNECT_TIMEOUT);
    socket.once("connect", () => end(undefined));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
