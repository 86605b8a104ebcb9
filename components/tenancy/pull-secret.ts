/**
 * The content of a `kubernetes.io/dockerconfigjson` secret for `user:password` by registry.
 *
 * @throws Error that names the registry, never the credential, where one has no user or no password.
 */
export function dockerConfig(credentials: Readonly<Record<string, string>>): string {
  const auths = Object.entries(credentials).map(([registry, credential]) => {
    const colon = credential.indexOf(":");
    if (colon < 1 || colon === credential.length - 1) {
      throw new Error(`pullCredentials.${registry}: must be "user:password"`);
    }
    return [registry, { auth: Buffer.from(credential).toString("base64") }] as const;
  });
  return JSON.stringify({ auths: Object.fromEntries(auths) });
}
