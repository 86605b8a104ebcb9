import { formatDuration, type Millis } from "../../infra/units";
import { DATA_SOURCES } from "./dashboards";

/** Where Grafana answers browsers, probes and Prometheus. */
export const GRAFANA_PORT = 3000;
/** Where the official image looks for its settings and for what it is provisioned with. */
export const CONFIG_FOLDER = "/etc/grafana";
/** Where dashboards are mounted. */
export const DASHBOARDS_FOLDER = "/etc/grafana-dashboards";
/** Where its secrets are mounted. */
export const SECRETS_FOLDER = "/run/secrets/grafana";
/** Its database: the only thing that it writes, beside temporary files. */
export const DATA_FOLDER = "/var/lib/grafana";
export const SECRET_FILES = { adminPassword: "admin-password", secretKey: "secret-key" } as const;

/** The user that is made with an empty database. */
export const ADMIN = "admin";
/** The folder that the stack's dashboards are shown in. */
const FOLDER = { title: "Functions", uid: "wasm-functions" };

export interface DataSourceUrls {
  readonly prometheus: string;
  readonly loki: string;
  readonly alertmanager: string;
}

/**
 * Settings that differ from its makers' defaults. It asks nobody outside: not for versions, plugins, news, pictures or statistics,
 * for which its network has no way out either. Rules are Prometheus' own: here they are shown, and none is evaluated.
 */
const SETTINGS = {
  server: { http_port: GRAFANA_PORT },
  paths: { data: DATA_FOLDER, provisioning: `${CONFIG_FOLDER}/provisioning` },
  analytics: {
    reporting_enabled: false,
    check_for_updates: false,
    check_for_plugin_updates: false,
    feedback_links_enabled: false,
  },
  security: {
    admin_user: ADMIN,
    // Read when it starts; as a variable of the environment it would show wherever that does.
    admin_password: `$__file{${SECRETS_FOLDER}/${SECRET_FILES.adminPassword}}`,
    secret_key: `$__file{${SECRETS_FOLDER}/${SECRET_FILES.secretKey}}`,
    disable_gravatar: true,
    cookie_samesite: "strict",
    content_security_policy: true,
  },
  users: { allow_sign_up: false, allow_org_create: false },
  "auth.anonymous": { enabled: false },
  snapshots: { external_enabled: false },
  public_dashboards: { enabled: false },
  plugins: { plugin_admin_enabled: false, preinstall_disabled: true, public_key_retrieval_disabled: true },
  news: { news_feed_enabled: false },
  unified_alerting: { execute_alerts: false },
  dashboards: { default_home_dashboard_path: `${DASHBOARDS_FOLDER}/overview.json` },
  log: { mode: "console", level: "info" },
  "log.console": { format: "json" },
} as const;

/** `grafana.ini`. */
export function settings(): string {
  return Object.entries(SETTINGS)
    .map(([section, values]) => {
      const lines = Object.entries<string | number | boolean>(values).map(([key, value]) => `${key} = ${value}`);
      return `[${section}]\n${lines.join("\n")}\n`;
    })
    .join("\n");
}

/** Data sources, by the uids that dashboards name. Nobody changes them in Grafana. */
export function dataSources(urls: DataSourceUrls, scrapeInterval: Millis) {
  const common = { access: "proxy", orgId: 1, editable: false };
  return {
    apiVersion: 1,
    datasources: [
      {
        ...{ ...common, ...DATA_SOURCES.prometheus, name: "Prometheus", url: urls.prometheus, isDefault: true },
        // Rates are taken over at least four of these.
        jsonData: { httpMethod: "POST", timeInterval: formatDuration(scrapeInterval), prometheusType: "Prometheus" },
      },
      { ...common, ...DATA_SOURCES.loki, name: "Loki", url: urls.loki, jsonData: { maxLines: 1000 } },
      {
        ...{ ...common, type: "alertmanager", uid: "alertmanager", name: "Alertmanager", url: urls.alertmanager },
        jsonData: { implementation: "prometheus", handleGrafanaManagedAlerts: false },
      },
    ],
  };
}

/** Where dashboards come from. They are changed in this program: what is saved here would be gone with the pod. */
export function dashboardProvider() {
  return {
    apiVersion: 1,
    providers: [
      {
        name: "stack",
        orgId: 1,
        type: "file",
        folder: FOLDER.title,
        folderUid: FOLDER.uid,
        allowUiUpdates: false,
        disableDeletion: true,
        options: { path: DASHBOARDS_FOLDER },
      },
    ],
  };
}
