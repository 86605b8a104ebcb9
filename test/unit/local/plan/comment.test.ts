import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run, type CommandError } from "../../../../local/run";
import { commandsOf, REPOSITORY, SHELL } from "../../../support/workflows";

interface Comment {
  readonly id: number;
  body: string;
  readonly user: { readonly type: string };
}

const MARK = "<!-- wasm-functions: plan -->";
const bot = { type: "Bot" };
const person = { type: "User" };

/** Comments of pull request 7, as GitHub's API has them: pages of 100, of which it tells no end. */
let comments: Comment[];
let allowed: boolean;
let server: Server;

beforeEach(async () => {
  comments = [];
  allowed = true;
  server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://api");
    const answer = (status: number, body: unknown) => response.writeHead(status).end(JSON.stringify(body));
    if (request.headers.authorization !== "Bearer of-the-job") return answer(401, {});
    if (request.method === "GET" && url.pathname === "/repos/acme/platform/issues/7/comments") {
      const from = (Number(url.searchParams.get("page")) - 1) * 100;
      return answer(200, comments.slice(from, from + Number(url.searchParams.get("per_page"))));
    }
    if (!allowed) return answer(403, {});
    void json(request).then((sent) => {
      const { body } = sent as Comment;
      const [, id] = /^\/repos\/acme\/platform\/issues\/comments\/(\d+)$/.exec(url.pathname) ?? [];
      const found = comments.find((comment) => comment.id === Number(id));
      if (request.method === "PATCH" && found) found.body = body;
      else if (request.method === "POST" && url.pathname === "/repos/acme/platform/issues/7/comments")
        comments.push({ id: comments.length + 1, body, user: bot });
      else return answer(404, {});
      return answer(200, {});
    });
    return undefined;
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
});
afterEach(() => void server.close());

/** The step of the workflow, as it stands there. */
function write(comment: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const [shell, ...args] = SHELL;
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return run(shell, [...args, commandsOf("preview", "comment", "Write or renew the plan's comment")], {
    cwd: REPOSITORY,
    env: {
      ...{ ...process.env, GITHUB_API_URL: address, GITHUB_REPOSITORY: "acme/platform" },
      ...{ GITHUB_TOKEN: "of-the-job", NUMBER: "7", COMMENT: comment, ...env },
    },
  });
}

const refusal = (action: Promise<string>) =>
  action.then(
    () => "nothing was refused",
    (error: unknown) => (error as CommandError).output,
  );

describe("the plan's comment", () => {
  it("is written once, and then renewed", async () => {
    await write("first `$(x)` plan");
    expect(comments.map(({ body }) => body)).toEqual([`${MARK}\nfirst \`$(x)\` plan`]);
    await write("second plan");
    expect(comments.map(({ body }) => body)).toEqual([`${MARK}\nsecond plan`]);
  });

  it("is found behind a hundred others, of which a person's with the same mark is left alone", async () => {
    const other = (_: unknown, id: number) => ({ id: id + 1, body: "talk", user: person });
    comments = Array.from({ length: 100 }, other);
    comments.push({ id: 101, body: `${MARK} not yours`, user: person }, { id: 102, body: `${MARK}\nold`, user: bot });
    await write("new");
    expect(comments.slice(100).map(({ body }) => body)).toEqual([`${MARK} not yours`, `${MARK}\nnew`]);
    expect(comments).toHaveLength(102);
  });

  it("is cut to what GitHub takes", async () => {
    await write("x".repeat(70_000));
    expect(comments[0]?.body.length).toBeLessThan(65_536);
    expect(comments[0]?.body).toMatch(/x\n\n… and more: see the run's summary\.$/);
  });

  it("is refused in plain words where nothing is planned, the job may not write, or no pull request is named", async () => {
    expect(await refusal(write(""))).toContain("standard input: empty: it is the comment");
    expect(await refusal(write("plan", { NUMBER: "" }))).toContain("NUMBER: missing or malformed");
    allowed = false;
    const said = await refusal(write("plan"));
    expect(said).toMatch(
      /POST http.*issues\/7\/comments: HTTP 403: GitHub carries it out; the job needs the permission/,
    );
    expect(said).not.toContain("of-the-job");
  });
});
