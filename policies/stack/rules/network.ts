import { parse } from "yaml";
import { inputsOf, isPlaceKnown, nameOf, namespaceOf, problemAt } from "../kubernetes";
import { ifKnown, judgement, type GraphPolicy, type Judged, type Report, type ResourcePolicy } from "../policy";

export const networkPolicies: GraphPolicy = {
  name: "network-policies",
  description: "In every namespace nothing comes in and nothing goes out until a policy lets it.",
  judgeAll: (resources, _facts, report) => {
    const denying = resources.filter((r) => ifKnown(() => deniesAll(r)) ?? true);
    // One of them may be in any.
    if (!denying.every(isPlaceKnown)) return;
    const closed = new Set(denying.map(namespaceOf));
    for (const resource of resources) {
      if (inputsOf(resource, "kubernetes:core/v1:Namespace") === undefined || closed.has(nameOf(resource))) continue;
      report(
        resource,
        problemAt(resource, "metadata.name", {
          value: nameOf(resource),
          limit: "no NetworkPolicy denies what nobody has allowed in it",
          fix: "add one with an empty podSelector, policyTypes [Ingress, Egress] and no rules",
        }),
      );
    }
  },
};

/** For every pod of its namespace, both ways. */
function deniesAll(resource: Judged): boolean {
  const spec = inputsOf(resource, "kubernetes:networking.k8s.io/v1:NetworkPolicy")?.spec;
  if (spec === undefined) return false;
  const { podSelector, policyTypes = [], ingress = [], egress = [] } = spec;
  return (
    Object.keys(podSelector).length === 0 &&
    ["Ingress", "Egress"].every((type) => policyTypes.includes(type)) &&
    ingress.length === 0 &&
    egress.length === 0
  );
}

export const gatewayTls: ResourcePolicy = {
  name: "gateway-tls",
  description: "Requests come in by TLS alone, with a certificate that clients can check.",
  judge: (resource, { config, admission, settings }, report) => {
    if (namespaceOf(resource) !== config.gateway.namespace) return;
    const selfSigned = config.gateway.tls.kind === "selfSigned" && settings.selfSigned !== true;
    judgement(() => {
      if (nameOf(resource) === admission.gateway.service) judgeService(resource, selfSigned, report);
    });
    judgement(() => judgeRoutes(resource, report));
    judgement(() => judgeStatic(resource, report));
  },
};

function judgeService(resource: Judged, selfSigned: boolean, report: Report): void {
  const service = inputsOf(resource, "kubernetes:core/v1:Service");
  if (service === undefined) return;
  const ports = service.spec?.ports ?? [];
  if (!ports.some(({ name, port }) => name === "https" && port === 443)) {
    report(
      problemAt(resource, "spec.ports", {
        value: ports.map(({ name, port }) => `${name ?? "unnamed"} ${port}`).join(", "),
        limit: "nobody can come by TLS",
        fix: "give it port https 443",
      }),
    );
  }
  if (selfSigned) {
    report(
      problemAt(resource, "spec", {
        value: "a certificate that the gateway makes itself",
        limit: "clients cannot tell it from anybody else's",
        fix: "set gateway.tls.kind to certificate, or in an environment to develop against gateway-tls.selfSigned",
      }),
    );
  }
}

interface Dynamic {
  readonly dynamic?: {
    readonly http?: {
      readonly routers?: Readonly<Record<string, { readonly entryPoints?: readonly string[]; readonly tls?: object }>>;
    };
  };
}

/** Traefik's routes from outside are behind TLS. Kong's cannot be told from its settings: a script of ours sends on. */
function judgeRoutes(resource: Judged, report: Report): void {
  const text = inputsOf(resource, "kubernetes:core/v1:ConfigMap")?.data?.["gateway.json"];
  const routers = text === undefined ? {} : ((JSON.parse(text) as Dynamic).dynamic?.http?.routers ?? {});
  for (const [name, { entryPoints = ["http"], tls }] of Object.entries(routers)) {
    if (entryPoints.every((entry) => entry === "admin" || (entry === "https" && tls !== undefined))) continue;
    report(
      problemAt(resource, 'data["gateway.json"]', {
        value: `route ${name}`,
        limit: "answers without TLS: tokens would pass in clear",
        fix: "give it the entry point https alone, and tls",
      }),
    );
  }
}

interface TraefikStatic {
  readonly entryPoints?: Readonly<
    Record<
      string,
      { readonly http?: { readonly redirections?: { readonly entryPoint?: { readonly scheme?: string } } } }
    >
  >;
}

/** Traefik's port without TLS only sends clients on. */
function judgeStatic(resource: Judged, report: Report): void {
  const text = inputsOf(resource, "kubernetes:core/v1:ConfigMap")?.data?.["traefik.yaml"];
  const http = text === undefined ? undefined : (parse(text) as TraefikStatic).entryPoints?.["http"];
  if (http === undefined || http.http?.redirections?.entryPoint?.scheme === "https") return;
  report(
    problemAt(resource, 'data["traefik.yaml"]', {
      value: "entryPoints.http without a redirection",
      limit: "clients that forget the s would send their tokens in clear",
      fix: "redirect it to scheme https",
    }),
  );
}
