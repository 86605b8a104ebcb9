import { authorizer } from "./authorizer";
import type { AlertCases } from "./case";
import { controlPlane } from "./control-plane";
import { gateways } from "./gateway";
import { logs } from "./logs";
import { monitoring } from "./monitoring";
import { nodes } from "./nodes";
import { objectives } from "./objectives";
import { pods } from "./pods";
import { scaling } from "./scaling";
import { tenants } from "./tenants";

export const CASES: AlertCases = {
  ...objectives,
  ...scaling,
  ...pods,
  ...nodes,
  ...gateways,
  ...authorizer,
  ...controlPlane,
  ...logs,
  ...monitoring,
  ...tenants,
};
