import { PolicyPack } from "@pulumi/policy";
import { deserializeOnce, stackFacts } from "./stack-config";
import { packPolicies } from "./pack";

/** The pack's entry, in a process of its own that the engine starts and asks. */
deserializeOnce();
new PolicyPack("wasm-functions", { policies: packPolicies(stackFacts()), enforcementLevel: "mandatory" });
