/** Tells the name of what draws WebGL; null without WebGL. */
const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
const named = gl?.getExtension('WEBGL_debug_renderer_info');
const renderer: unknown = gl?.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
gl?.getExtension('WEBGL_lose_context')?.loseContext();
postMessage(gl ? String(renderer) : null);

export {};
