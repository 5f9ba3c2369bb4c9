/** Data of the stub subgraphs of peers, and the part of the schema that the request needs. */

/** Patients as our gateway answers for them, by id. */
export type PatientAnswers = Readonly<Record<string, { id: string; ImagingStudyList: unknown[] }>>;

export const STUB_SUBGRAPHS = {
  clinical: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
    type Query { Patient(id: ID!): Patient }
    type Patient @key(fields: "id") { id: ID! birthDate: String name: [HumanName!] }
    type HumanName { family: String given: [String] }`,
  imaging: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
    type Patient @key(fields: "id") { id: ID! ImagingStudyList: [ImagingStudy!] }
    type ImagingStudy { id: ID started: String description: String series: [Series!] }
    type Series { uid: String modality: Coding description: String }
    type Coding { code: String }`,
} as const;
