import { bucketLimit } from "./promql";
import type { AlertArgs, Topic } from "./types";

const WEEK_SECONDS = 604_800;

/** API server, etcd and admission; each silent where its job is not there. */
export function controlPlaneTopic(): Topic {
  return { name: "control-plane", alerts: [...apiServerAlerts(), ...etcdAlerts(), ...admissionAlerts()] };
}

function apiServerAlerts(): AlertArgs[] {
  const requests = (code: string) => `sum(rate(apiserver_request_total{job="apiserver"${code}}[5m]))`;
  const expiring = `apiserver_client_certificate_expiration_seconds_bucket{job="apiserver",${bucketLimit(WEEK_SECONDS)}}`;
  return [
    {
      alert: "ApiServerErrors",
      expr: `${requests(',code=~"5.."')} / ${requests("")} > 0.01`,
      for: "10m",
      severity: "page",
      summary: "The API server fails",
      description:
        "{{ $value | humanizePercentage }} of the API server's answers of the last 5m were 5xx: scaling, rollouts and repair stand still. Functions answer on.",
    },
    {
      alert: "ClientCertificateExpires",
      expr: `sum(rate(${expiring}[1h])) * 3600 >= 1`,
      for: "15m",
      severity: "ticket",
      summary: "Somebody uses a certificate of the cluster that expires within a week",
      description:
        'In the last hour {{ $value | printf "%.0f" }} requests to the API server came with a client certificate that is valid for less than 7d.',
    },
  ];
}

function etcdAlerts(): AlertArgs[] {
  const fsync = 'sum by (instance, le) (rate(etcd_disk_wal_fsync_duration_seconds_bucket{job="etcd"}[5m]))';
  return [
    {
      alert: "EtcdNoLeader",
      expr: 'max by (instance) (etcd_server_has_leader{job="etcd"}) == 0',
      for: "1m",
      severity: "page",
      summary: "etcd on {{ $labels.instance }} has no leader",
      description:
        "The member of etcd on {{ $labels.instance }} has had no leader for 1m: without one nothing of the cluster can be changed.",
    },
    {
      alert: "EtcdSlow",
      expr: `histogram_quantile(0.99, ${fsync}) > 0.1`,
      for: "10m",
      severity: "ticket",
      summary: "The disk of etcd on {{ $labels.instance }} is slow",
      description:
        "Of 100 writes to the log of etcd on {{ $labels.instance }}, one takes {{ $value | humanizeDuration }} or longer; 10ms is what etcd asks for, and from 100ms on leaders change.",
    },
    {
      alert: "EtcdAlmostFull",
      expr: 'max by (instance) (etcd_mvcc_db_total_size_in_bytes{job="etcd"} / etcd_server_quota_backend_bytes{job="etcd"}) > 0.8',
      for: "10m",
      severity: "page",
      summary: "etcd on {{ $labels.instance }} is almost full",
      description:
        "The database on {{ $labels.instance }} has {{ $value | humanizePercentage }} of its quota; at 100% it refuses every change.",
    },
  ];
}

function admissionAlerts(): AlertArgs[] {
  const rejections = "apiserver_admission_webhook_rejection_count";
  return [
    {
      alert: "AdmissionWebhookDown",
      expr: `sum by (name) (increase(${rejections}{job="apiserver",error_type!="no_error"}[5m])) > 1`,
      for: "5m",
      severity: "page",
      summary: "The admission webhook {{ $labels.name }} cannot be asked, and objects are refused for it",
      description:
        'In the last 5m {{ $value | printf "%.0f" }} objects were refused since {{ $labels.name }} gave no answer: pods cannot be created.',
    },
    {
      alert: "AdmissionFailsOpen",
      expr: 'sum by (name) (increase(apiserver_admission_webhook_fail_open_count{job="apiserver"}[5m])) > 1',
      for: "5m",
      severity: "ticket",
      summary: "The admission webhook {{ $labels.name }} cannot be asked, and objects pass without it",
      description:
        'In the last 5m {{ $value | printf "%.0f" }} objects were let in unseen since {{ $labels.name }} gave no answer.',
    },
    {
      alert: "AdmissionDenials",
      // A person is told no once; a controller asks again and again.
      expr: 'sum(increase(gatekeeper_validation_request_count_total{job="gatekeeper",admission_status="deny"}[15m])) > 20',
      for: "10m",
      severity: "ticket",
      summary: "Policies refuse objects again and again",
      description: 'Gatekeeper refused {{ $value | printf "%.0f" }} objects in the last 15m: something keeps trying.',
    },
  ];
}
