import type { StackConfig } from "./config";
import { OBSERVABILITY_IMAGES } from "./config-observability";
import { byKey } from "./outputs";
import { DEFAULT_IMAGES } from "./versions";

/** References of what the platform's own pods run: the stack's where it names one, else the official one that was tried. */
export function platformImages({ gateway, authorization, observability, admission, autoscaling }: StackConfig) {
  return {
    gateway: gateway.image?.text ?? DEFAULT_IMAGES[gateway.kind],
    /** Of the authorizer and of the gateway's helper. */
    node: authorization.image?.text ?? DEFAULT_IMAGES.node,
    gatekeeper: admission.image?.text ?? DEFAULT_IMAGES.gatekeeper,
    kedaOperator: autoscaling.images.operator?.text ?? DEFAULT_IMAGES.kedaOperator,
    kedaAdapter: autoscaling.images.adapter?.text ?? DEFAULT_IMAGES.kedaAdapter,
    observability: byKey(OBSERVABILITY_IMAGES, (key) => observability.images[key]?.text ?? DEFAULT_IMAGES[key]),
  };
}
