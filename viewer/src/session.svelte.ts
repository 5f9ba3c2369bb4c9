/** Where the page is: which gateway, which tenant, which patient. Kept in the address, so that a link opens the same. */
export class Session {
  /** Base of the gateway, with a slash at the end; the viewer is served at `{base}app/`. */
  readonly gateway: string;
  tenant = $state('demo');
  patient = $state<string>();
  study = $state<string>();

  constructor(location: Location = window.location) {
    this.gateway = new URL('..', new URL('.', location.href)).href;
    this.read(new URL(location.href).searchParams);
    window.addEventListener('popstate', () => this.read(new URL(window.location.href).searchParams));
  }

  get endpoint(): string {
    return `${this.gateway}${encodeURIComponent(this.tenant)}/graphql`;
  }

  /** Opens a patient or a study, with an address of its own; undefined steps back. */
  go(patient: string | undefined, study?: string): void {
    this.patient = patient;
    this.study = study;
    const query = new URLSearchParams({ tenant: this.tenant });
    if (patient) query.set('patient', patient);
    if (study) query.set('study', study);
    history.pushState(null, '', `?${query}`);
  }

  private read(query: URLSearchParams): void {
    this.tenant = query.get('tenant') ?? 'demo';
    this.patient = query.get('patient') ?? undefined;
    this.study = query.get('study') ?? undefined;
  }
}
