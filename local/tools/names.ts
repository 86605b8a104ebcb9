import { closest, distance } from "fastest-levenshtein";
import { TOOL_GROUPS, TOOL_NAMES, type ToolGroup, type ToolName } from "./catalog";
import { toolsError } from "./failures";

/**
 * The tools that a command line asks for, by their own names and those of groups; without any name those of the embedded
 * default.
 *
 * @throws ProblemsError for a name that is neither
 */
export function wantedTools(names: readonly string[]): readonly ToolName[] {
  return names.length === 0 ? TOOL_GROUPS.local : [...new Set(names.flatMap(toolsOf))];
}

function toolsOf(name: string): readonly ToolName[] {
  if (Object.hasOwn(TOOL_GROUPS, name)) return TOOL_GROUPS[name as ToolGroup];
  const tool = TOOL_NAMES.find((known) => known === name);
  if (tool) return [tool];
  const groups = Object.keys(TOOL_GROUPS);
  const near = closest(name, [...groups, ...TOOL_NAMES]);
  const hint = distance(name, near) <= 3 ? `did you mean ${near}?` : "leave names out to get those of the group local";
  const limit = `known are the groups ${groups.join(", ")} and the tools ${TOOL_NAMES.join(", ")}`;
  throw toolsError([{ path: "tools", value: name, limit, fix: hint }]);
}
