import { MERGE_PATCH } from "../api";
import type { FaultOf } from "./schema";
import type { Action, World } from "./world";

interface ResourceQuota {
  readonly spec: { readonly hard: Readonly<Record<string, string>> };
}

/** A tenant that is given less than its functions come to: by mistake, or since another one took what was left. */
export function quota({ pods }: FaultOf<"quota">, { api, scenario }: World): Action {
  const path = `/api/v1/namespaces/${scenario.fn.tenant}/resourcequotas/tenant-quota`;
  const set = (hard: string) => api.patch(path, MERGE_PATCH, { spec: { hard: { pods: hard } } });
  let before: string | undefined;
  return {
    what: `quota of ${pods} pods`,
    begin: async () => {
      before = (await api.get<ResourceQuota>(path)).spec.hard["pods"];
      if (before === undefined) throw new Error(`${scenario.fn.tenant} has no quota of pods`);
      await set(String(pods));
    },
    undo: async () => {
      if (before !== undefined) await set(before);
    },
  };
}
