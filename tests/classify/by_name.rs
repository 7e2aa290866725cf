//! Columns by their names alone: a table of names, and what each means.

use sealift::classify::{Detectors, Profile, Subject};
use sealift::value::Original;

use super::{beside, findings, kind};

/// Column → kind, for an empty column of a table whose name says nothing.
const NAMES: &[(&str, &str)] = &[
    // contact
    ("email", "email"),
    ("E-Mail", "email"),
    ("customeremail", "email"),
    ("CustomerEMail", "email"),
    ("contact_email_2", "email"),
    ("courriel", "email"),
    ("correo_electronico", "email"),
    ("メールアドレス", "email"),
    ("электронная_почта", "email"),
    ("邮箱", "email"),
    ("phone", "phone"),
    ("phoneNumber", "phone"),
    ("home_phone", "phone"),
    ("msisdn", "phone"),
    ("tel", "phone"),
    ("telefonnummer", "phone"),
    ("téléphone", "phone"),
    ("teléfono_móvil", "phone"),
    ("cellulare", "phone"),
    ("Fax", "phone"),
    ("телефон", "phone"),
    ("电话", "phone"),
    ("携帯電話", "phone"),
    ("전화번호", "phone"),
    // persons
    ("first_name", "first_name"),
    ("firstname", "first_name"),
    ("fname", "first_name"),
    ("FRST_NM", "first_name"),
    ("Vorname", "first_name"),
    ("prénom", "first_name"),
    ("voornaam", "first_name"),
    ("imię", "first_name"),
    ("имя", "first_name"),
    ("last_name", "last_name"),
    ("LASTNAME", "last_name"),
    ("lname", "last_name"),
    ("surname", "last_name"),
    ("Nachname", "last_name"),
    ("apellido", "last_name"),
    ("cognome", "last_name"),
    ("nazwisko", "last_name"),
    ("фамилия", "last_name"),
    ("full_name", "person_name"),
    ("customer_name", "person_name"),
    ("cust_nm", "person_name"),
    ("CNTCT_NM", "person_name"),
    ("nombre_completo", "person_name"),
    ("氏名", "person_name"),
    ("客户姓名", "person_name"),
    ("ονοματεπώνυμο", "person_name"),
    ("nombre_cliente", "person_name"),
    ("cardholder", "person_name"),
    ("billing_name", "person_name"),
    ("Hausarzt", "person_name"),
    ("responsable", "person_name"),
    ("lieu_naissance", "city"),
    ("vers_nr", "health"),
    ("company", "company"),
    ("company_name", "company"),
    ("supplierName", "company"),
    ("EMPLR_NM", "company"),
    ("Firmenname", "company"),
    ("raison_sociale", "company"),
    ("razão_social", "company"),
    ("会社名", "company"),
    // places
    ("address", "postal_address"),
    ("addr1", "postal_address"),
    ("address_line_2", "postal_address"),
    ("billingAddress", "postal_address"),
    ("Anschrift", "postal_address"),
    ("Straße", "postal_address"),
    ("dirección", "postal_address"),
    ("indirizzo", "postal_address"),
    ("адрес", "postal_address"),
    ("住所", "postal_address"),
    ("city", "city"),
    ("BillingCity", "city"),
    ("Wohnort", "city"),
    ("ville", "city"),
    ("ciudad", "city"),
    ("woonplaats", "city"),
    ("город", "city"),
    ("zip", "postcode"),
    ("zipcode", "postcode"),
    ("postal_code", "postcode"),
    ("PSTL_CD", "postcode"),
    ("PLZ", "postcode"),
    ("código_postal", "postcode"),
    ("邮编", "postcode"),
    // identity
    ("dob", "date_of_birth"),
    ("date_of_birth", "date_of_birth"),
    ("birthDate", "date_of_birth"),
    ("BRTH_DT", "date_of_birth"),
    ("Geburtsdatum", "date_of_birth"),
    ("fecha_de_nacimiento", "date_of_birth"),
    ("дата_рождения", "date_of_birth"),
    ("生年月日", "date_of_birth"),
    ("ssn", "national_id"),
    ("social_security_number", "national_id"),
    ("nationalId", "national_id"),
    ("tax_id", "national_id"),
    ("codice_fiscale", "national_id"),
    ("pesel", "national_id"),
    ("aadhaar_number", "national_id"),
    ("身份证号", "national_id"),
    ("passport_no", "passport"),
    ("Reisepassnummer", "passport"),
    ("drivers_license", "driving_licence"),
    ("license_plate", "vehicle"),
    ("gender", "gender"),
    ("GNDR", "gender"),
    ("Geschlecht", "gender"),
    // money
    ("card_number", "card"),
    ("creditcard", "card"),
    ("pan", "card"),
    ("cvv", "card_detail"),
    ("iban", "iban"),
    ("account_number", "bank_account"),
    ("Kontonummer", "bank_account"),
    ("salary", "income"),
    ("Gehalt", "income"),
    // signing in and devices
    ("username", "username"),
    ("login", "username"),
    ("password_hash", "secret"),
    ("pwd", "secret"),
    ("api_key", "secret"),
    ("Passwort", "secret"),
    ("ip_address", "ip"),
    ("clientIp", "ip"),
    ("mac_address", "mac"),
    ("imei", "device_id"),
    // special categories
    ("diagnosis", "health"),
    ("blood_type", "health"),
    ("Krankenkasse", "health"),
    ("religion", "belief"),
    ("ethnicity", "belief"),
    ("primary_email", "email"),
    ("emails", "email"),
    ("order_phone", "phone"),
    ("default_address", "postal_address"),
    // names that mean something else
    ("id_customer", "-"),
    ("count_emails", "-"),
    ("id", "-"),
    ("customer_id", "-"),
    ("email_verified", "-"),
    ("email_sent_at", "-"),
    ("phone_type", "-"),
    ("address_id", "-"),
    ("is_email", "-"),
    ("city_id", "-"),
    ("company_size", "-"),
    ("created_at", "-"),
    ("order_date", "-"),
    ("hire_date", "-"),
    ("order_number", "-"),
    ("version", "-"),
    ("sku", "-"),
    ("uuid", "-"),
    ("title", "-"),
    ("product_name", "-"),
    ("file_name", "-"),
    ("hostname", "-"),
    ("description", "-"),
    ("quantity", "-"),
    ("unit_price", "-"),
    ("status", "-"),
    ("country", "-"),
    ("state", "-"),
    ("candidate_state", "-"),
    ("c1", "-"),
    ("field7", "-"),
];

#[test]
fn an_empty_column_is_known_by_its_name() {
    let wrong: Vec<String> = NAMES
        .iter()
        .filter_map(|(column, expected)| {
            let found = findings("t", column, &[]);
            let found = kind(&found);
            (found != *expected).then(|| format!("{column}: {found}, not {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_name_without_values_is_less_sure_than_with_them() {
    let empty = findings("t", "email", &[]);
    let full = findings("t", "email", &["alice@example.com", "bob@example.com"]);
    assert!(empty[0].confidence < full[0].confidence);
    assert_eq!(empty[0].evidence.by_name.as_deref(), Some("email"));
    assert_eq!(empty[0].evidence.tested, 0);
}

#[test]
fn values_that_cannot_be_it_speak_against_the_name() {
    assert_eq!(kind(&findings("t", "phone", &["yes", "no", "yes", "no"])), "-");
    assert_eq!(kind(&findings("t", "email", &["0", "1", "1", "0"])), "-");
    assert_eq!(kind(&findings("t", "ip_address", &["dynamic", "static"])), "-");
}

#[test]
fn whose_name_a_name_is_the_table_says() {
    let persons = [
        "employees",
        "customer",
        "users",
        "Patients",
        "Mitarbeiter",
        "clientes",
        "сотрудники",
        "顧客",
    ];
    for table in persons {
        assert_eq!(kind(&findings(table, "name", &[])), "person_name", "{table}");
    }
    for table in ["suppliers", "vendor", "companies", "Lieferanten", "empresas"] {
        assert_eq!(kind(&findings(table, "name", &[])), "company", "{table}");
    }
    for table in
        ["products", "films", "tracks", "categories", "cities", "artist", "playlist", "roles"]
    {
        assert_eq!(kind(&findings(table, "name", &[])), "-", "{table}");
    }
}

#[test]
fn a_name_beside_a_given_name_is_the_family_name() {
    assert_eq!(kind(&beside("t", "nom", &["prénom", "ville"], &[])), "last_name");
    assert_eq!(kind(&beside("t", "nombre", &["apellidos"], &[])), "first_name");
    assert_eq!(kind(&beside("t", "name", &["vorname"], &[])), "last_name");
}

/// The word for a column of a declared type.
fn of_type(column: &str, declared: &str, values: &[&str]) -> String {
    let detectors = Detectors::new(&[]).unwrap();
    let subject = Subject { table: "t", column, declared, siblings: &[] };
    let mut profile = Profile::new(&detectors, &subject);
    for value in values {
        profile.add(&Original::text(value));
    }
    kind(&profile.findings()).to_owned()
}

#[test]
fn a_user_name_is_text_whatever_its_column_is_called() {
    for declared in ["", "text", "varchar(40)", "character varying", "citext"] {
        assert_eq!(of_type("login", declared, &[]), "username", "{declared}");
    }
    for declared in ["timestamptz", "timestamp with time zone", "DATE", "bigint", "numeric(10,2)"] {
        assert_eq!(of_type("login", declared, &[]), "-", "{declared}");
    }
    let seen = ["2026-03-01 10:00:00+00", "2026-03-02 11:30:00+00", "2026-03-02 12:45:10+00"];
    assert_eq!(of_type("last_login", "timestamp with time zone", &seen), "-");
    assert_eq!(of_type("line_id", "integer", &["1", "2", "3", "4", "5"]), "-");
}
