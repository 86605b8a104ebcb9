import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { extract } from "tar-stream";

/** The built policy, as it is committed: what asks it needs no OPA. */
export const POLICY_FILE = join(__dirname, "policy.wasm");

/**
 * Compiles the policy to WebAssembly. The same program gives the same bytes.
 *
 * @param opa - the program's path
 */
export async function buildPolicy(opa: string): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), "wasm-functions-policy-"));
  const bundle = join(folder, "bundle.tar.gz");
  // Without data, which whoever loads the module sets. The source's path goes into the module, so it is a relative one.
  const args = ["build", "--target=wasm", "--entrypoint=serverless/allow", `--output=${bundle}`, "serverless.rego"];
  try {
    await promisify(execFile)(opa, args, { cwd: __dirname });
    return await moduleIn(gunzipSync(readFileSync(bundle)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function moduleIn(bundle: Buffer): Promise<Buffer> {
  const entries = extract();
  entries.end(bundle);
  for await (const entry of entries) {
    if (entry.header.name === "/policy.wasm") return buffer(entry);
    entry.resume();
  }
  throw new Error("opa build has written no module");
}
