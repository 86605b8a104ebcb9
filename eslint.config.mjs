import importX from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

/** Who may import what: see ARCHITECTURE.md. `from` lists what files in `target` must not import. */
const zones = [
  {
    target: "./infra/plan",
    from: ["./components", "./local", "./policies"],
    message: "The plan is a pure function of the config.",
  },
  {
    target: "./infra",
    from: "./local",
    message: "The program does not know what runs it.",
  },
  {
    target: "./local",
    from: "./components",
    except: [
      "./cluster/component-flags.ts",
      "./cluster/k3s-config.ts",
      "./cluster/releases.ts",
      "./cluster/host-needs.ts",
      "./cluster/host-script.ts",
      "./admission/flags.ts",
      "./admission/names.ts",
      "./autoscaling/names.ts",
      "./functions/names.ts",
      "./observability/dashboards",
      "./observability/names.ts",
      "./observability/rules",
      "./observability/scrape.ts",
      "./route-name.ts",
    ],
    message:
      "Objects are the program's; what nodes and control plane are set to and made of, what runs on hosts, and what dashboards show, is known on both sides.",
  },
  {
    target: "./components",
    from: ["./local", "./policies", "./infra/index.ts", "./infra/read-config.ts", "./infra/cluster-access.ts"],
    message: "Components get what they need as arguments.",
  },
  {
    target: ["./programs", "./policies/admission", "./policies/authorization"],
    from: ["./infra", "./components", "./local", "./policies/stack"],
    message: "What runs in pods and clusters knows nothing of the program that puts it there.",
  },
  {
    target: "./policies/stack",
    from: ["./components", "./local"],
    message: "Stack policies judge what components make, by config and plan: they share nothing with them.",
  },
  ...[
    "functions",
    "runtime",
    "tenancy",
    "cluster",
    "platform",
    "gateway",
    "authorization",
    "admission",
    "autoscaling",
    "observability",
  ].map((room, _, rooms) => ({
    target: `./components/${room}`,
    from: rooms.filter((other) => other !== room).map((other) => `./components/${other}`),
    message: "Rooms do not import each other: infra/index.ts passes on what one needs from another.",
  })),
  ...["charts", "graph", "surge"].map((room) => ({
    target: `./local/!(main.ts|${room}){,/**}`,
    from: `./local/${room}`,
    message: "A command that only looks is a room's own affair: local/main.ts alone calls it.",
  })),
];

/** Config, plan and what is rendered from them as files: they run without Pulumi, in milliseconds. */
const PURE = [
  "infra/plan/**",
  "infra/config*.ts",
  "infra/units.ts",
  "infra/addresses.ts",
  "infra/problems.ts",
  "infra/versions.ts",
  "infra/manifests.ts",
  "components/cluster/component-flags.ts",
  "components/cluster/k3s-config.ts",
  "components/cluster/releases.ts",
  "components/cluster/host-needs.ts",
  "components/cluster/host-script.ts",
  "components/admission/flags.ts",
  "components/admission/names.ts",
  "components/autoscaling/names.ts",
  "components/functions/names.ts",
  "components/observability/dashboards/**",
  "components/observability/names.ts",
  "components/observability/rules/**",
  "components/observability/scrape.ts",
];

/** What stack policies rest on of infra/: pure values alone. The SDKs take seconds to load. */
const STACK_POLICIES_MAY_IMPORT =
  "infra/(?!(?:admission-facts|config|plan|problems|buffers|units|addresses)$|plan/types$)";

export default tseslint.config(
  { ignores: ["node_modules", ".local", "eslint.config.mjs", "test/support/browser/measure.js"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { "import-x": importX },
    settings: { "import-x/resolver": { node: { extensions: [".ts", ".js", ".json"] } } },
    rules: {
      // Packages have cycles of their own, and folders that are taken for resolvers.
      "import-x/no-cycle": ["error", { ignoreExternal: true }],
      "import-x/no-restricted-paths": ["error", { zones }],
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      // Numbers read well in messages, and that is most of what templates are for here.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Indexing is checked by the compiler (noUncheckedIndexedAccess), and an assertion says why it is safe.
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidOperator: true },
      ],
    },
  },
  {
    files: PURE,
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["@pulumi/*"], message: "Config, plan and rendered files are pure." }] },
      ],
    },
  },
  {
    files: ["components/**"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: "infra/(?!buffers$|units$|addresses$)",
              allowTypeImports: true,
              message: "Components take only types from infra/, and its pure value helpers.",
            },
          ],
        },
      ],
    },
  },
  {
    files: ["policies/stack/**"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: `@pulumi/kubernetes|@pulumi/pulumi$|${STACK_POLICIES_MAY_IMPORT}`,
              allowTypeImports: true,
              message: "Stack policies take types from the SDKs, and of infra/ only config, plan and pure helpers.",
            },
          ],
        },
      ],
    },
  },
  { files: ["test/**"], rules: { "@typescript-eslint/no-unsafe-assignment": "off" } },
);
