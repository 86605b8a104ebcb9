import type { StackConfig } from "../config";
import type { Plan } from "./types";

export type * from "./types";

export declare function planStack(config: StackConfig): Plan;
