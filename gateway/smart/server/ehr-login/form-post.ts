import type { KoaContextWithOIDC } from 'oidc-provider';
import { formAction, NOTHING, pageHeaders } from '../sign-in/page.ts';

const POLICY = 'content-security-policy';

/**
 * Sets the policy of pages that submit a form by script: the answer in `form_post` mode, and the change of a session's
 * user. The provider adds the hash of its script to an existing `script-src`.
 */
export async function protectFormPost(ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> {
  ctx.set(POLICY, `${NOTHING}; script-src`);
  await next();
  const policy = ctx.response.get(POLICY);
  if (!/script-src 'sha256-/.test(policy)) return;
  const { params, entities } = ctx.oidc;
  const { redirect_uri: redirectUri } = params ?? entities.Interaction?.params ?? {};
  ctx.set({ ...pageHeaders(), [POLICY]: `${policy}; ${formAction(String(redirectUri))}` });
}
