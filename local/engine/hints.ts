/** What usually helps, by what the reason says; the first match counts. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /ImagePullBackOff|ErrImagePull|pull access denied/i,
    "the node cannot pull the image: check its reference and pullCredentials",
  ],
  [
    /connection refused|unreachable|no route to host|i\/o timeout/i,
    "the cluster does not answer: make status shows what runs, make up starts what does not",
  ],
  [
    /exceeded quota/i,
    "the tenant's ResourceQuota is used up: it follows from the plan, so lower what runs beside it or raise scaling.max",
  ],
  [
    /violates PodSecurity/i,
    "the pod breaks the restricted Pod Security level of its namespace: the message names the fields",
  ],
  [/CrashLoopBackOff/i, "the function ends again and again: its log says why (kubectl logs)"],
  [/Insufficient (cpu|memory)|Too many pods/i, "no agent has room: more runs in the cluster than the plan knows of"],
  [/already exists/i, "somebody else made an object of this name: delete it, or give this one another name"],
  [/forbidden/i, "the kubeconfig's user may not do this: use one that may"],
  [/protected/i, "it is protected: set platform.protect to false first, if you mean it"],
  [
    /Timeout exceeded|timed out|ProgressDeadlineExceeded/i,
    "it was not ready in time: kubectl describe shows its events",
  ],
];

export function hintFor(reason: string): string | undefined {
  return HINTS.find(([form]) => form.test(reason))?.[1];
}
