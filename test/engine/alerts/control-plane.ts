import { from, type AlertCases } from "./case";

const answers = (code: string, perMinute: number) =>
  from("apiserver", { [`apiserver_request_total{verb="GET",resource="pods",code="${code}"}`]: `0+${perMinute}x60` });
const certificates = (within: string, le = "604800") =>
  from("apiserver", { [`apiserver_client_certificate_expiration_seconds_bucket{le="${le}"}`]: within });
const fsync = (within: number) =>
  from("etcd", {
    'etcd_disk_wal_fsync_duration_seconds_bucket{instance="server-0",le="0.064"}': `0+${within}x60`,
    'etcd_disk_wal_fsync_duration_seconds_bucket{instance="server-0",le="0.256"}': "0+100x60",
    'etcd_disk_wal_fsync_duration_seconds_bucket{instance="server-0",le="+Inf"}': "0+100x60",
  });
const database = (bytes: string) =>
  from("etcd", {
    'etcd_mvcc_db_total_size_in_bytes{instance="server-0"}': bytes,
    'etcd_server_quota_backend_bytes{instance="server-0"}': "1000x60",
  });
const leader = (values: string) => from("etcd", { 'etcd_server_has_leader{instance="server-0"}': values });
const WEBHOOK = 'name="validation.gatekeeper.sh"';
const rejected = (error: string, values: string) =>
  from("apiserver", {
    [`apiserver_admission_webhook_rejection_count{${WEBHOOK},operation="CREATE",error_type="${error}"}`]: values,
  });
const NAME = { name: "validation.gatekeeper.sh" };
const SERVER = { instance: "server-0" };

export const controlPlane: AlertCases = {
  ApiServerErrors: {
    fires: [
      {
        when: "2 % of its answers are 5xx",
        series: { ...answers("200", 980), ...answers("500", 20) },
        at: "20m",
        alerts: [
          {
            labels: { severity: "page" },
            summary: "The API server fails",
            description:
              "2% of the API server's answers of the last 5m were 5xx: scaling, rollouts and repair stand still. Functions answer on.",
          },
        ],
      },
    ],
    silent: [
      { when: "0.5 % are", series: { ...answers("200", 995), ...answers("503", 5) }, at: "20m" },
      { when: "clients conflict", series: { ...answers("200", 500), ...answers("409", 500) }, at: "20m" },
    ],
  },
  ClientCertificateExpires: {
    fires: [
      {
        when: "somebody comes with one of less than a week",
        series: certificates("0+1x120"),
        at: "2h",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Somebody uses a certificate of the cluster that expires within a week",
            description:
              "In the last hour 60 requests to the API server came with a client certificate that is valid for less than 7d.",
          },
        ],
      },
      {
        when: "Prometheus writes the bucket its own way",
        series: certificates("0+1x120", "604800.0"),
        at: "2h",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Somebody uses a certificate of the cluster that expires within a week",
            description:
              "In the last hour 60 requests to the API server came with a client certificate that is valid for less than 7d.",
          },
        ],
      },
    ],
    silent: [
      { when: "somebody did, and has another one since", series: certificates("0+1x20 20x200"), at: "2h" },
      { when: "one expires within a month", series: certificates("0+1x120", "2592000"), at: "2h" },
    ],
  },
  EtcdNoLeader: {
    fires: [
      {
        when: "a member has none for two minutes",
        series: leader("1 0x20"),
        at: "4m",
        alerts: [
          {
            labels: { severity: "page", ...SERVER },
            summary: "etcd on server-0 has no leader",
            description:
              "The member of etcd on server-0 has had no leader for 1m: without one nothing of the cluster can be changed.",
          },
        ],
      },
    ],
    silent: [{ when: "it is elected anew", series: leader("1 0 1x20"), at: "1m" }],
  },
  EtcdSlow: {
    fires: [
      {
        when: "two of a hundred writes take more than 64 ms",
        series: fsync(98),
        at: "20m",
        alerts: [
          {
            labels: { severity: "ticket", ...SERVER },
            summary: "The disk of etcd on server-0 is slow",
            description:
              "Of 100 writes to the log of etcd on server-0, one takes 160ms or longer; 10ms is what etcd asks for, and from 100ms on leaders change.",
          },
        ],
      },
    ],
    silent: [{ when: "one in two hundred does", series: fsync(99.5), at: "20m" }],
  },
  EtcdAlmostFull: {
    fires: [
      {
        when: "85 % of the quota are used",
        series: database("850x60"),
        at: "20m",
        alerts: [
          {
            labels: { severity: "page", ...SERVER },
            summary: "etcd on server-0 is almost full",
            description: "The database on server-0 has 85% of its quota; at 100% it refuses every change.",
          },
        ],
      },
    ],
    silent: [{ when: "70 % are", series: database("700x60"), at: "20m" }],
  },
  AdmissionWebhookDown: {
    fires: [
      {
        when: "objects are refused since it cannot be called",
        series: rejected("calling_webhook_error", "0+2x60"),
        at: "15m",
        alerts: [
          {
            labels: { severity: "page", ...NAME },
            summary: "The admission webhook validation.gatekeeper.sh cannot be asked, and objects are refused for it",
            description:
              "In the last 5m 10 objects were refused since validation.gatekeeper.sh gave no answer: pods cannot be created.",
          },
        ],
      },
    ],
    silent: [
      { when: "it answers, and refuses", series: rejected("no_error", "0+20x60"), at: "15m" },
      { when: "it was rolled", series: rejected("calling_webhook_error", "0x3 2x60"), at: "7m" },
    ],
  },
  AdmissionFailsOpen: {
    fires: [
      {
        when: "objects pass since it cannot be called",
        series: from("apiserver", {
          [`apiserver_admission_webhook_fail_open_count{${WEBHOOK},type="validating"}`]: "0+1x60",
        }),
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket", ...NAME },
            summary: "The admission webhook validation.gatekeeper.sh cannot be asked, and objects pass without it",
            description: "In the last 5m 5 objects were let in unseen since validation.gatekeeper.sh gave no answer.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "it was rolled",
        series: from("apiserver", {
          [`apiserver_admission_webhook_fail_open_count{${WEBHOOK},type="validating"}`]: "0x3 2x60",
        }),
        at: "7m",
      },
    ],
  },
  AdmissionDenials: {
    fires: [
      {
        when: "a controller tries again and again",
        series: from("gatekeeper", { 'gatekeeper_validation_request_count_total{admission_status="deny"}': "0+3x60" }),
        at: "30m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Policies refuse objects again and again",
            description: "Gatekeeper refused 45 objects in the last 15m: something keeps trying.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "somebody is told no twelve times",
        series: from("gatekeeper", {
          'gatekeeper_validation_request_count_total{admission_status="deny"}': "0x5 12x60",
        }),
        at: "18m",
      },
      {
        when: "all is allowed",
        series: from("gatekeeper", {
          'gatekeeper_validation_request_count_total{admission_status="allow"}': "0+300x60",
        }),
        at: "30m",
      },
    ],
  },
};
