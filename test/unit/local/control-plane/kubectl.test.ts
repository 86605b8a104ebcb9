import { describe, expect, it } from "vitest";
import { applyOnceAdmitted, type Kubectl } from "../../../../local/control-plane/kubectl";

const UNANSWERED =
  'Error from server (InternalError): Internal error occurred: failed calling webhook "validation.gatekeeper.sh": connection refused';
const REFUSED =
  'Error from server (Forbidden): admission webhook "validation.gatekeeper.sh" denied the request: [rbac] ClusterRole one';

/** The API server, as kubectl tells of it, with these errors one after the other, and then none. */
function server(...errors: readonly string[]): { readonly kubectl: Kubectl; readonly calls: string[] } {
  const calls: string[] = [];
  const kubectl: Kubectl = (_, options) => {
    const error = errors[calls.push(options?.input ?? "") - 1];
    return error === undefined ? Promise.resolve("") : Promise.reject(new Error(error));
  };
  return { kubectl, calls };
}

describe("applying what a webhook is asked about", () => {
  const objects = [{ kind: "ClusterRole", metadata: { name: "one" } }];

  it("goes on until the webhook answers", async () => {
    const { kubectl, calls } = server(UNANSWERED);
    await applyOnceAdmitted(kubectl, objects, 30);
    expect(calls).toHaveLength(2);
    expect(JSON.parse(calls[1] ?? "")).toMatchObject({ kind: "List", items: objects });
  });

  it("ends with the last answer when time is over", async () => {
    const { kubectl } = server(UNANSWERED, UNANSWERED, UNANSWERED);
    await expect(applyOnceAdmitted(kubectl, objects, -1)).rejects.toThrow(UNANSWERED);
  });

  it("takes a refusal for an answer", async () => {
    const { kubectl, calls } = server(REFUSED);
    await expect(applyOnceAdmitted(kubectl, objects, 30)).rejects.toThrow(REFUSED);
    expect(calls).toHaveLength(1);
  });
});
