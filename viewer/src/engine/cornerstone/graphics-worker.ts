/** Tells the name of what draws WebGL; null without WebGL. */
const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
const named = gl?.getExtension('WEBGL_debug_renderer_info');
const name: unknown = named ? gl!.getParameter(named.UNMASKED_RENDERER_WEBGL) : gl?.getParameter(gl.RENDERER);
gl?.getExtension('WEBGL_lose_context')?.loseContext();
postMessage(gl ? String(name) : null);
