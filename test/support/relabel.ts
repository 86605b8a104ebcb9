/** A rule of `relabel_configs`, as far as they are used here. */
export interface RelabelRule {
  readonly source_labels?: readonly string[];
  readonly separator?: string;
  readonly regex?: string;
  readonly target_label?: string;
  readonly replacement?: string;
  readonly action?: string;
}

export type LabelSet = Readonly<Record<string, string>>;

/**
 * What Prometheus makes of these labels by these rules, by its documentation: patterns are anchored, a label that is missing is
 * empty, and one that becomes empty is missing.
 *
 * @returns undefined where a rule drops them
 * @throws on an action that is not known here
 */
export function relabel(rules: readonly RelabelRule[], labels: LabelSet): LabelSet | undefined {
  let current: Record<string, string> = { ...labels };
  for (const rule of rules) {
    const { source_labels = [], separator = ";", regex = "(.*)", replacement = "$1", action = "replace" } = rule;
    const pattern = new RegExp(`^(?:${regex})$`, "s");
    const value = source_labels.map((name) => current[name] ?? "").join(separator);
    switch (action) {
      case "keep":
        if (!pattern.test(value)) return undefined;
        break;
      case "drop":
        if (pattern.test(value)) return undefined;
        break;
      case "labeldrop":
        current = Object.fromEntries(Object.entries(current).filter(([name]) => !pattern.test(name)));
        break;
      case "replace": {
        if (!pattern.test(value)) break;
        current = { ...current, [rule.target_label ?? ""]: value.replace(pattern, replacement) };
        break;
      }
      default:
        throw new Error(`action ${action} is not known here`);
    }
    current = Object.fromEntries(Object.entries(current).filter(([, text]) => text !== ""));
  }
  return current;
}
