import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../../local/run";
import type { ManifestObject } from "../../../components/manifest";

/** A part of a JSON schema; of OpenAPI's dialects only what is looked at here. */
interface Schema {
  readonly [key: string]: unknown;
}

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

interface Swagger {
  readonly definitions: Readonly<
    Record<string, Schema & { readonly "x-kubernetes-group-version-kind"?: GroupVersionKind[] }>
  >;
}

const DEFINITION = "#/definitions/";

/** Types that are written as text or as a number, of which Kubernetes' description knows one. */
const EITHER: Readonly<Record<string, Schema>> = {
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": { type: ["string", "integer"] },
  "io.k8s.apimachinery.pkg.api.resource.Quantity": { type: ["string", "number"] },
};

/** Where kubeconform finds the schemas in a folder; of the core group it takes the version for the group. */
export const SCHEMA_LOCATION = "{{ .Group }}_{{ .ResourceAPIVersion }}_{{ .ResourceKind }}.json";

/** The description of the API that the pinned Kubernetes' own module has; Go has verified it. */
export async function readSwagger(kubernetesModule: string): Promise<Swagger> {
  const env = { ...process.env, GOFLAGS: "-mod=readonly", GOTOOLCHAIN: "local", GOWORK: "off" };
  const told = await run("go", ["mod", "download", "-json", "k8s.io/kubernetes"], { cwd: kubernetesModule, env });
  const { Dir: folder } = JSON.parse(told) as { readonly Dir: string };
  return JSON.parse(readFileSync(join(folder, "api/openapi-spec/swagger.json"), "utf8")) as Swagger;
}

/**
 * Writes a schema for each kind of object: Kubernetes' own from its description, others from the definitions that are among
 * the objects. A field that a schema does not name is an error, as the API server has it under strict validation.
 */
export function writeSchemas(folder: string, swagger: Swagger, objects: readonly ManifestObject[]): void {
  mkdirSync(folder, { recursive: true });
  const write = ({ group, version, kind }: GroupVersionKind, schema: Schema) =>
    writeFileSync(join(folder, `${group || version}_${version}_${kind.toLowerCase()}.json`), JSON.stringify(schema));

  const wanted = new Set(objects.map(({ apiVersion, kind }) => `${apiVersion}/${kind}`));
  for (const [name, definition] of Object.entries(swagger.definitions)) {
    for (const known of definition["x-kubernetes-group-version-kind"] ?? []) {
      const apiVersion = known.group === "" ? known.version : `${known.group}/${known.version}`;
      if (wanted.has(`${apiVersion}/${known.kind}`)) write(known, closed(name, swagger));
    }
  }
  for (const object of objects.filter(({ kind }) => kind === "ConstraintTemplate")) {
    const { names, validation } = (object["spec"] as ConstraintTemplate).crd.spec;
    const known = { group: "constraints.gatekeeper.sh", version: "v1beta1", kind: names.kind };
    write(known, constraintSchema(validation.openAPIV3Schema, swagger));
  }
  for (const object of objects.filter(({ kind }) => kind === "CustomResourceDefinition")) {
    const { group, names, versions } = object["spec"] as CustomResourceDefinition;
    for (const { name: version, schema } of versions) {
      const known = { group, version, kind: names.kind };
      const { properties = {} } = schema.openAPIV3Schema;
      const metadata = { $ref: `${DEFINITION}${OBJECT_META}` };
      const { definitions } = closed(OBJECT_META, swagger);
      write(known, { ...strict({ ...schema.openAPIV3Schema, properties: { ...properties, metadata } }), definitions });
    }
  }
}

const OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

interface CustomResourceDefinition {
  readonly group: string;
  readonly names: { readonly kind: string };
  readonly versions: readonly {
    readonly name: string;
    readonly schema: { readonly openAPIV3Schema: Schema & { readonly properties?: Readonly<Record<string, unknown>> } };
  }[];
}

interface ConstraintTemplate {
  readonly crd: {
    readonly spec: {
      readonly names: { readonly kind: string };
      readonly validation: { readonly openAPIV3Schema: Schema };
    };
  };
}

/** As Gatekeeper makes it of a template: the parameters are the template's; what is matched, Gatekeeper checks itself. */
function constraintSchema(parameters: Schema, swagger: Swagger): Schema {
  const spec = {
    type: "object",
    properties: {
      enforcementAction: { type: "string", enum: ["deny", "warn", "dryrun"] },
      match: { type: "object", additionalProperties: {} },
      parameters,
    },
  };
  const { definitions } = closed(OBJECT_META, swagger);
  const metadata = { $ref: `${DEFINITION}${OBJECT_META}` };
  const properties = { apiVersion: { type: "string" }, kind: { type: "string" }, metadata, spec };
  return { ...strict({ type: "object", properties }), definitions };
}

/** A definition with all that it refers to, and nothing else: the whole description would be read for each kind anew. */
function closed(name: string, { definitions }: Swagger): Schema & { readonly definitions: Schema } {
  const reached = new Map<string, Schema>();
  const reach = (one: string): void => {
    if (reached.has(one)) return;
    const schema = EITHER[one] ?? strict(definitions[one] ?? {});
    reached.set(one, schema);
    for (const reference of JSON.stringify(schema).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)) reach(reference[1]!);
  };
  reach(name);
  return { $ref: `${DEFINITION}${name}`, definitions: Object.fromEntries(reached) };
}

/** No field but those that are named, wherever any are; and what Kubernetes alone says, in words of JSON schema. */
function strict(schema: Schema): Schema {
  const result = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strictPart(key, value)]));
  if (schema["x-kubernetes-int-or-string"] === true) return { ...result, type: ["string", "integer"] };
  const open = schema["x-kubernetes-preserve-unknown-fields"] === true || "additionalProperties" in schema;
  return "properties" in schema && !open ? { ...result, additionalProperties: false } : result;
}

/** Of `properties` each value is a schema; what else holds one has it, or a list of them, as it is. */
function strictPart(key: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => strictPart(key, item));
  if (typeof value !== "object" || value === null) return value;
  if (key !== "properties") return key === "default" || key === "enum" ? value : strict(value as Schema);
  return Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, strict(schema as Schema)]));
}
