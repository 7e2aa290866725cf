//! What a table's row is: a person, an organisation, a thing. It says whose `name` a name is.

use std::sync::LazyLock;

use super::split::Words;
use crate::classify::hash::FastMap;

/// What a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::classify) enum Entity {
    /// A customer, an employee, a patient.
    Person,
    /// A company, a supplier.
    Organisation,
    /// A product, a film, a category.
    Thing,
    /// The name does not say.
    Unknown,
}

/// `name` in other languages.
pub(super) const NAME_WORDS: [&str; 21] = [
    "name",
    "nm",
    "names",
    "nombre",
    "nom",
    "nome",
    "naam",
    "namn",
    "navn",
    "nimi",
    "nev",
    "nazwa",
    "jmeno",
    "meno",
    "isim",
    "nama",
    "название",
    "имя",
    "ονομα",
    "اسم",
    "नाम",
];

/// Words for `name` that mean the family name where a given name stands beside them.
pub(super) const FAMILY_WORDS: [&str; 8] =
    ["name", "nom", "nome", "naam", "namn", "navn", "nev", "nm"];

/// Words for `name` that mean the given name where a family name stands beside them.
pub(super) const GIVEN_WORDS: [&str; 9] =
    ["nombre", "nome", "name", "имя", "jmeno", "meno", "isim", "ονομα", "nama"];

/// What things are called by.
pub(super) const TITLE_WORDS: [&str; 10] =
    ["title", "titel", "titre", "titulo", "titolo", "tytul", "caption", "heading", "slug", "label"];

const PERSONS: &str = "customer, cust, client, clnt, user, usr, employee, emp, empl, staff, person, \
    people, human, contact, patient, student, pupil, member, teacher, professor, lecturer, tutor, \
    instructor, doctor, physician, nurse, therapist, guest, passenger, traveler, traveller, \
    subscriber, applicant, candidate, lead, prospect, beneficiary, donor, volunteer, player, \
    athlete, actor, actress, author, writer, editor, driver, rider, agent, representative, rep, \
    salesrep, salesperson, buyer, seller, shopper, recipient, sender, receiver, owner, tenant, \
    landlord, resident, citizen, voter, insured, policyholder, claimant, borrower, debtor, \
    cardholder, holder, accountholder, payer, payee, parent, child, spouse, partner person, relative, \
    guardian, father, mother, husband, wife, kin, sibling, manager, supervisor, boss, consultant, \
    attendee, participant, visitor, caller, signatory, signer, witness, defendant, plaintiff, \
    judge, lawyer, attorney, crew, worker, freelancer, contractor, respondent, follower, friend, \
    admin, administrator, operator, coach, trainer, pilot, singer, director, consumer, \
    individual, victim, suspect, inmate, employee record, hr, payroll, crm, addressee, consignee, \
    reviewer, assignee, reporter, requester, approver, nominee, referrer, insuree, subject person, \
    colleague, intern, trainee, dependent, household, voters, \
    kunde, kunden, mitarbeiter, benutzer, nutzer, ansprechpartner, mitglied, mitglieder, schuler, \
    lehrer, arzt, gast, patienten, personen, empfanger, absender, inhaber, angestellte, bewerber, \
    cliente, clientes, usuario, usuarios, empleado, empleados, persona, personas, alumno, alumnos, \
    paciente, pacientes, socio, socios, contacto, titular, trabajador, profesor, medico, \
    utilisateur, employe, personne, eleve, etudiant, membre, adherent, salarie, destinataire, \
    clienti, utente, utenti, dipendente, dipendenti, paziente, pazienti, persone, studente, \
    klant, klanten, gebruiker, medewerker, medewerkers, persoon, lid, leden, werknemer, \
    klient, klienci, pracownik, pracownicy, osoba, osoby, uzytkownik, zakaznik, \
    kund, kunder, anvandare, anstalld, bruger, medarbejder, ansatt, bruker, asiakas, \
    funcionario, funcionarios, pessoa, pessoas, aluno, paciente, usuarias, colaborador, \
    musteri, calisan, kullanici, kisi, pelanggan, karyawan, \
    клиент, клиенты, сотрудник, сотрудники, пользователь, пользователи, пациент, человек, люди, \
    πελατης, πελατες, υπαλληλος, عميل, عملاء, موظف, مستخدم, ग्राहक, कर्मचारी, \
    客户, 客戶, 用户, 用戶, 员工, 員工, 顧客, 社員, 会員, 患者, 고객, 직원, 회원, 사용자";

const ORGANISATIONS: &str = "company, supplier, vendor, manufacturer, organisation, organization, \
    org, firm, corporation, corp, enterprise, shipper, carrier, distributor, merchant, employer, \
    business, insurer, wholesaler, reseller, contractor company, subsidiary, \
    firma, firmen, unternehmen, lieferant, lieferanten, hersteller, arbeitgeber, \
    empresa, empresas, proveedor, proveedores, entreprise, societe, fournisseur, \
    azienda, aziende, societa, fornitore, fornitori, bedrijf, bedrijven, leverancier, \
    fornecedor, fornecedores, dostawca, foretag, leverantor, virksomhed, \
    компания, поставщик, организация, εταιρεια, προμηθευτης, شركة, 会社, 公司, 企业, 供应商, 회사";

const THINGS: &str = "product, item, article, film, movie, track, album, genre, playlist, category, \
    cat, country, region, state, province, county, district, city, town, language, lang, \
    department, dept, division, project, course, lesson, role, permission, artist, band, \
    song, game, book, tag, part, component, model, brand, menu, dish, ingredient, recipe, device, \
    file, folder, document, doc, report, template, task, job, position, plan, package, service, \
    feature, setting, config, table, column, field, schema, database, currency, unit, color, \
    colour, media, mediatype, channel, page, post, topic, thread, forum, store, shop, warehouse, \
    location, station, airport, airline, stadium, venue, team, club, league, tournament, season, \
    race, circuit, species, animal, pet, plant, drug, medication, disease, symptom, test, exam, \
    question, quiz, class, room, hotel, restaurant, museum, place, ship, vessel, aircraft, engine, \
    host, server, domain, app, application, campaign, group, list, segment, type, kind, status, \
    level, priority, lookup, enum, reason, stage, phase, process, workflow, step, rule, policy, \
    option, attribute, property, parameter, key, metric, indicator, sensor, machine, asset, \
    inventory, stock, promotion, \
    discount, coupon, offer, deal, catalog, collection, series, episode, show, program, \
    programme, publisher, label, studio, bookstore, library, school, university, college, faculty, \
    hospital, clinic, bank, branch, office, building, floor, zone, area, territory, continent, \
    street, road, route, stop, line, port, material, supply, equipment, tool, \
    vehicle type, skill, certificate, degree, major, subject, occupation, profession, industry, \
    sector, theme, style, size, shape, material type, format, version, release, module, \
    function, view, index, trigger, action, activity, hobby, sport, food, drink, wine, beer, \
    constructor, \
    produkt, produkte, artikel, kategorie, land, lander, stadt, stadte, abteilung, projekt, \
    producto, productos, articulo, categoria, categorias, pais, paises, ciudad, departamento, \
    produit, produits, categorie, pays, ville, departement, projet, \
    prodotto, prodotti, paese, citta, dipartimento, progetto, produto, produtos, \
    товар, товары, категория, страна, город, отдел, 产品, 产品类别, 商品, 类别, 製品, 상품";

/// All words of this file, for taking glued names apart.
pub(super) const LISTS: [&str; 3] = [PERSONS, ORGANISATIONS, THINGS];

static ENTITIES: LazyLock<FastMap<String, Entity>> = LazyLock::new(|| {
    let mut entities = FastMap::default();
    let lists =
        [(PERSONS, Entity::Person), (ORGANISATIONS, Entity::Organisation), (THINGS, Entity::Thing)];
    for (list, entity) in lists {
        for word in list.split(',').map(str::trim) {
            entities.entry(super::split::fold(word)).or_insert(entity);
        }
    }
    entities
});

/// What a table's rows are: the last word that says so decides, as in `customer_orders`.
pub(super) fn of_table(words: &Words) -> Entity {
    of_words(words.iter())
}

/// What some words mean.
pub(super) fn of_words<'w>(words: impl Iterator<Item = &'w str>) -> Entity {
    words.filter_map(of_word).last().unwrap_or(Entity::Unknown)
}

fn of_word(word: &str) -> Option<Entity> {
    if let Some(entity) = ENTITIES.get(word) {
        return Some(*entity);
    }
    let one = word
        .strip_suffix("ies")
        .map(|stem| format!("{stem}y"))
        .or_else(|| word.strip_suffix("ses").map(|stem| format!("{stem}s")))
        .or_else(|| word.strip_suffix("xes").map(|stem| format!("{stem}x")))
        .or_else(|| word.strip_suffix('s').map(str::to_owned))?;
    ENTITIES.get(&one).copied()
}
