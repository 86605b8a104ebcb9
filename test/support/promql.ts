import { parser as logql } from "@grafana/lezer-logql";
import { parser as promql } from "@prometheus-io/lezer-promql";

type Tree = ReturnType<typeof promql.parse>;
type SyntaxNodeRef = Parameters<Parameters<Tree["iterate"]>[0]["enter"]>[0];

/**
 * Names of the metrics that an expression of PromQL reads, sorted, each once; by the grammar of Prometheus' own editor.
 * It knows syntax and the names of functions, and not types: `rate(up)` passes here and fails in Prometheus.
 *
 * @throws on a syntax error, and where a metric is named by a pattern, since nobody can say which ones those are
 */
export function metricNames(expr: string): string[] {
  const names = new Set<string>();
  walk(promql.parse(expr), expr, "PromQL", (node) => {
    if (node.name === "VectorSelector") names.add(metricOf(node, expr));
  });
  return [...names].sort();
}

/**
 * Labels that the selectors of an expression of LogQL match on, sorted, each once; by the grammar of Grafana's editor.
 *
 * @throws on a syntax error
 */
export function logLabels(expr: string): string[] {
  const labels = new Set<string>();
  walk(logql.parse(expr), expr, "LogQL", (node) => {
    if (node.name !== "Selector") return;
    for (const matchers of node.node.getChildren("Matchers")) collectLabels(matchers, expr, labels);
  });
  return [...labels].sort();
}

function collectLabels(node: SyntaxNodeRef, expr: string, labels: Set<string>): void {
  node.node.cursor().iterate((inner) => {
    if (inner.name === "Identifier") labels.add(textOf(inner, expr));
  });
}

/** `up`, or what `{__name__="up"}` and `{"up"}` say. */
function metricOf(selector: SyntaxNodeRef, expr: string): string {
  const name = selector.node.getChild("Identifier");
  if (name !== null) return textOf(name, expr);
  const matchers = selector.node.getChild("LabelMatchers");
  const quoted = matchers?.getChild("QuotedLabelName");
  if (quoted) return unquote(textOf(quoted, expr));
  const named = (matchers?.getChildren("UnquotedLabelMatcher") ?? []).find(
    (matcher) =>
      textOf(matcher.getChild("LabelName")!, expr) === "__name__" && matcher.getChild("MatchOp")?.getChild("EqlSingle"),
  );
  if (!named) throw new Error(`${textOf(selector, expr)} names no metric, in: ${expr}`);
  return unquote(textOf(named.getChild("StringLiteral")!, expr));
}

function walk(tree: Tree, expr: string, language: string, visit: (node: SyntaxNodeRef) => void): void {
  tree.iterate({
    enter: (node) => {
      if (node.type.isError) {
        throw new Error(
          `${language} is wrong at character ${node.from + 1}, "${expr.slice(node.from, node.from + 20)}", in: ${expr}`,
        );
      }
      visit(node);
    },
  });
}

const textOf = ({ from, to }: { readonly from: number; readonly to: number }, expr: string) => expr.slice(from, to);
const unquote = (text: string) => text.slice(1, -1);
