/**
 * Body regions by which studies are compared. `terms` are of Body Part Examined (PS3.16 Table L-1, and older terms that
 * devices still send), `codes` of SNOMED CT (the same table and CID 4031, with the codes that they had before). A term or
 * code may stand in several regions: an examination of `CHESTABDPELVIS` is comparable with each of the three.
 */
export interface BodyRegion {
  terms: readonly string[];
  /** SNOMED CT. */
  codes: readonly string[];
  /** True where left and right are not compared with each other. */
  paired?: true;
}

const words = (text: string): string[] => text.split(' ');

/** Examinations of several regions. */
const CHEST_ABDOMEN = {
  terms: words('CHESTABDOMEN NECKCHESTABDOMEN'),
  codes: words('416550000 416152001'),
};
const CHEST_ABDOMEN_PELVIS = {
  terms: words('CHESTABDPELVIS CHESTABDOMENPELVIS NECKCHESTABDPELV NECKCHESTABDPELVIS'),
  codes: words('416775004 416319003'),
};
const ABDOMEN_PELVIS = { terms: ['ABDOMENPELVIS'], codes: words('818982008 416949008') };

export const BODY_REGIONS: Readonly<Record<string, BodyRegion>> = {
  head: {
    terms: words(
      'HEAD BRAIN SKULL HEADNECK CEREBELLUM CEREBHEMISPHERE CIRCLEOFWILLIS INTRACRANIAL SELLA IAC MASTOID EAR 4THVENTRICLE LATVENTRICLE TEMPORALBONE TBONE',
    ),
    codes: words(
      '69536005 12738006 89546000 774007 113305005 372073000 11279006 1101003 361078006 59066005 117590005',
    ),
  },
  face: {
    terms: words(
      'FACE ORBIT EYE JAW MANDIBLE MAXILLA ZYGOMA NOSE TMJ MOUTH PAROTID SINUS PARANASALSINUS SINUSES CHEEK',
    ),
    codes: words(
      '89545001 363654007 81745001 661005 91609006 70925003 13881006 45206002 123851003 45289007 2095001',
    ),
  },
  neck: {
    terms: words(
      'NECK HEADNECK LARYNX PHARYNX HYPOPHARYNX NASOPHARYNX THYROID PARATHYROID CAROTID CCA ICA NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NECKCHESTABDPELVIS',
    ),
    codes: words(
      '45048000 774007 4596009 81502006 360955006 69748006 111002 69105007 32062004 86117002 417437006 416152001 416319003',
    ),
  },
  chest: {
    terms: [
      ...words('CHEST THORAX LUNG MEDIASTINUM RIB STERNUM BRONCHUS TRACHEA ESOPHAGUS THYMUS NECKCHEST HEART'),
      ...words('THORACICAORTA AORTICARCH ASCAORTA DESCAORTA PULMONARYA AORTA'),
      ...CHEST_ABDOMEN.terms,
      ...CHEST_ABDOMEN_PELVIS.terms,
    ],
    codes: [
      ...words(
        '43799004 816094009 51185008 39607008 72410000 113197003 56873002 955009 44567001 32849002 417437006',
      ),
      ...words('80891009 57034009 54247002 281130003 15825003'),
      ...CHEST_ABDOMEN.codes,
      ...CHEST_ABDOMEN_PELVIS.codes,
    ],
  },
  heart: {
    terms: words('HEART CORONARYARTERY ENDOCARDIAC LVENTRICLE RVENTRICLE LATRIUM RATRIUM'),
    codes: words('80891009 41801008 87878005 82471001'),
  },
  breast: { terms: ['BREAST'], codes: ['76752008'], paired: true },
  abdomen: {
    terms: [
      ...words(
        'ABDOMEN LIVER SPLEEN PANCREAS KIDNEY GALLBLADDER STOMACH COLON DUODENUM JEJUNUM ILEUM ADRENAL BILEDUCT',
      ),
      ...words(
        'BILIARYTRACT PANCBILEDUCT SMALLINTESTINE LARGEINTESTINE APPENDIX UPRURINARYTRACT ABDOMINALAORTA AORTA',
      ),
      ...words('RUQ LUQ RLQ LLQ EPIGASTRIC RENALA'),
      ...ABDOMEN_PELVIS.terms,
      ...CHEST_ABDOMEN.terms,
      ...CHEST_ABDOMEN_PELVIS.terms,
    ],
    codes: [
      ...words(
        '818981001 818983003 113345001 10200004 78961009 15776009 64033007 28231008 69695003 71854001 38848004',
      ),
      ...words(
        '21306003 34516001 23451007 28273000 34707002 110621006 14742008 66754008 7832008 15825003 86367003 68505006',
      ),
      ...ABDOMEN_PELVIS.codes,
      ...CHEST_ABDOMEN.codes,
      ...CHEST_ABDOMEN_PELVIS.codes,
    ],
  },
  pelvis: {
    terms: [
      ...words(
        'PELVIS BLADDER PROSTATE UTERUS OVARY CERVIX RECTUM ENDORECTAL TESTIS SCROTUM URETHRA BLADDERURETHRA VAGINA',
      ),
      ...words('SIJOINT ILIUM PELVISLOWEXTREMT INGUINAL'),
      ...ABDOMEN_PELVIS.terms,
      ...CHEST_ABDOMEN_PELVIS.terms,
    ],
    codes: [
      ...words(
        '816092008 12921003 89837001 41216001 35039007 15497006 71252005 34402009 40689003 110837003 39723000',
      ),
      ...words('22356005 26893007'),
      ...ABDOMEN_PELVIS.codes,
      ...CHEST_ABDOMEN_PELVIS.codes,
    ],
  },
  cervicalSpine: {
    terms: words('CSPINE CTSPINE SPINE WHOLESPINE'),
    codes: words('122494005 1217257000 421060004'),
  },
  thoracicSpine: {
    terms: words('TSPINE CTSPINE TLSPINE SPINE WHOLESPINE'),
    codes: words('122495006 1217257000 1217256009 421060004'),
  },
  lumbarSpine: {
    terms: words('LSPINE LSSPINE TLSPINE SSPINE SACRUM COCCYX SPINE WHOLESPINE'),
    codes: words('122496007 1217253001 1217256009 54735007 64688005 421060004'),
  },
  shoulder: {
    terms: words('SHOULDER CLAVICLE SCAPULA ACJOINT SCJOINT AXILLA'),
    codes: words('16982005 51299004 79601000 85856004 91470000'),
    paired: true,
  },
  upperArm: { terms: words('ARM UPPERARM HUMERUS'), codes: words('40983000 85050009'), paired: true },
  elbow: { terms: ['ELBOW'], codes: words('16953009 127949000'), paired: true },
  forearm: {
    terms: words('FOREARM RADIUS ULNA RADIUSULNA'),
    codes: words('14975008 62413002 23416004'),
    paired: true,
  },
  wrist: { terms: ['WRIST'], codes: words('74670003 8205005'), paired: true },
  hand: { terms: words('HAND FINGER THUMB'), codes: words('85562004 7569003 76505004'), paired: true },
  hip: { terms: ['HIP'], codes: words('24136001 29836001'), paired: true },
  thigh: { terms: words('THIGH FEMUR UPPERLEG'), codes: words('68367000 71341001'), paired: true },
  knee: { terms: words('KNEE PATELLA'), codes: words('72696002 64234005'), paired: true },
  lowerLeg: {
    terms: words('LEG LOWERLEG TIBIA FIBULA TIBIAFIBULA CALF'),
    codes: words('30021000 12611008 87342007 53840002'),
    paired: true,
  },
  ankle: { terms: ['ANKLE'], codes: words('70258002 344001'), paired: true },
  foot: {
    terms: words('FOOT TOE CALCANEUS SESAMOID'),
    codes: words('56459004 29707007 80144004'),
    paired: true,
  },
  wholeBody: { terms: words('WHOLEBODY SKULLTOTHIGH'), codes: ['38266002'] },
};
