import { text } from "node:stream/consumers";
import { z } from "zod";
import { runCommand } from "../command";
import { ProblemsError } from "../../infra/problems";

/** What our comment begins with, invisible to readers: by it the next run finds the comment that it renews. */
const MARK = "<!-- wasm-functions: plan -->";

/** GitHub takes 65,536 characters. */
const LONGEST = 65_000;

/** Comments of one page, the most that GitHub gives at once. */
const PAGE = 100;

const environment = z.object({
  GITHUB_API_URL: z.url(),
  GITHUB_REPOSITORY: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
  GITHUB_TOKEN: z.string().min(1),
  NUMBER: z.string().regex(/^\d+$/),
});

const comments = z.array(
  z.object({ id: z.number(), body: z.string().nullish(), user: z.object({ type: z.string() }).nullish() }),
);

/**
 * Takes Markdown from standard input and makes it the plan's comment of a pull request, the one that is there already where
 * there is one. A workflow's environment says which: GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN and NUMBER.
 */
async function main(_: readonly string[], signal: AbortSignal): Promise<void> {
  const { data: env, error } = environment.safeParse(process.env);
  if (error) {
    const limit = "it is set, in a workflow that a pull request starts";
    const problems = error.issues.map(({ path }) => ({
      path: path.join("."),
      value: "missing or malformed",
      limit,
      fix: "set it",
    }));
    throw new ProblemsError("The plan's comment cannot be written", problems);
  }
  const markdown = await text(process.stdin);
  if (markdown.trim() === "") {
    const problem = {
      path: "standard input",
      value: "empty",
      limit: "it is the comment",
      fix: "see why make plan printed nothing",
    };
    throw new ProblemsError("The plan's comment cannot be written", [problem]);
  }
  const issues = `${env.GITHUB_API_URL}/repos/${env.GITHUB_REPOSITORY}/issues`;
  const api = async (method: string, url: string, body?: object): Promise<unknown> => {
    const headers = {
      Accept: "application/vnd.github+json",
      Authorization: `Bearer ${env.GITHUB_TOKEN}`,
      "X-GitHub-Api-Version": "2022-11-28",
    };
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(30_000)]);
    const response = await fetch(url, {
      method,
      headers,
      signal: timeout,
      ...(body && { body: JSON.stringify(body) }),
    });
    if (response.ok) return response.json();
    const fix = "the job needs the permission pull-requests: write, which forks do not get";
    const problem = { path: `${method} ${url}`, value: `HTTP ${response.status}`, limit: "GitHub carries it out", fix };
    throw new ProblemsError("The plan's comment cannot be written", [problem]);
  };

  const own = await findOwn((page) => api("GET", `${issues}/${env.NUMBER}/comments?per_page=${PAGE}&page=${page}`));
  const body = { body: `${MARK}\n${shortened(markdown)}` };
  if (own === undefined) await api("POST", `${issues}/${env.NUMBER}/comments`, body);
  else await api("PATCH", `${issues}/comments/${own}`, body);
}

/** Anybody can write our mark into a comment of theirs, which is not ours to change. */
async function findOwn(read: (page: number) => Promise<unknown>): Promise<number | undefined> {
  for (let page = 1; ; page += 1) {
    const found = comments.parse(await read(page));
    const own = found.find(({ body, user }) => user?.type === "Bot" && body?.startsWith(MARK));
    if (own !== undefined || found.length < PAGE) return own?.id;
  }
}

function shortened(markdown: string): string {
  return markdown.length <= LONGEST ? markdown : `${markdown.slice(0, LONGEST)}\n\n… and more: see the run's summary.`;
}

runCommand(main);
