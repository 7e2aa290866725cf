//! The rules on names, in many languages: phrases, the kind they mean, and how clearly.
//!
//! A phrase is written with spaces; a name fits it in every way of writing (`split.rs`). Own words,
//! gathered from schemas that everybody has seen; no list of somebody else's.

use super::Hint;
use crate::classify::kind::Kind;

/// How clearly a name means a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::classify) enum Strength {
    /// It may mean this among other things: `contact`, `location`.
    Weak,
    /// It usually means this: `address`, `tel`.
    Medium,
    /// It means this: `email`, `date_of_birth`.
    Strong,
}

impl Strength {
    /// Whether the name alone makes one look for the kind.
    pub(in crate::classify) fn is_clear(self) -> bool {
        self >= Self::Medium
    }
}

/// Some phrases and what they mean.
pub(super) struct Rule {
    kind: Kind,
    pub(super) strength: Strength,
    name: &'static str,
    scheme: Option<&'static str>,
    pub(super) phrases: &'static str,
}

impl Rule {
    /// Whether the words mean a person, and a name only where nothing follows.
    pub(super) fn is_somebody(&self) -> bool {
        self.kind == Kind::PersonName && self.strength < Strength::Strong
    }

    pub(super) fn hint(&self) -> Hint {
        Hint {
            kind: self.kind.clone(),
            strength: self.strength,
            rule: self.name,
            scheme: self.scheme,
        }
    }
}

/// Words that, beside a phrase, say that the column is *about* the value: its type, whether it was
/// checked, how many there are.
pub(super) const BLOCKERS: &str = "id, ids, uuid, guid, type, types, kind, count, cnt, status, flag, \
    verified, verify, verification, confirmed, confirmation, valid, validated, is, has, have, at, on, \
    length, len, size, score, enabled, disabled, opt, optin, optout, opted, subscribed, consent, \
    preference, preferences, pref, template, index, idx, key, fk, ref, label, category, group, level, \
    domain, provider, order, sort, rank, sent, total, percent, pct, rate, ratio, price, \
    amount, amt, qty, quantity, currency, version, format, default, visible, hidden, required, \
    allowed, allow, max, min, avg, sum, num of, updated, created, modified, deleted, changed, date, \
    time, timestamp, code, reason, desc, description, bounced, bounces, opens, clicks, open, click, \
    reset, expires, expiry, expired, attempts, limit, since, until, method, mode, source, target, \
    duration, interval, delay, template, subject, body, cost, fee, tax, color, colour, weight, height, \
    width, icon, image, typ, anzahl, datum, tipo, fecha, numero de, nombre de, quality, match, \
    similarity, distance, accuracy, zone, width, stage, range, error, errors, frequency, policy, \
    schema, table, file, extension, ext, unsubscribed, deliverable, hashed by, changed by, \
    class, role, state of, use, used, uses, show, hide, checked, check, required, available, \
    permission, permissions, regex, pattern, mask, seq, sequence, last seen, rating, ratings, reviews, \
    state, country, province, county, continent, nation, land, pais, pays, title, titel, unit, units, timezone, tz, locale, abbr, abbreviation";

/// Words that say the same before a phrase; others there belong to it: `order_email`, `default_city`.
pub(super) const BLOCKING_BEFORE: &str = "is, has, have, number of, num, count, cnt, id, fk, pk, total, min, max, cargo, puesto, funcion, fonction, poste, mansione, beruf, job, stelle, \
    avg, sum, allow, allows, allowed, show, hide, use, uses, used, require, requires, required, verify, \
    verified, send, sent, can, should, type, typ, tipo, status, flag, enable, enabled, disable, disabled";

/// Words that say nothing of their own.
pub(super) const NEUTRAL: &str = "c, col, column, field, fld, f, attr, attribute, value, val, v, \
    data, datum, info, text, txt, string, str, varchar, char, content, contents, payload, x, y, z, a, \
    b, var, item, entry, element, param, misc, other, extra, custom, udf, generic, raw, object, obj, \
    json, doc, document, body, record, spare, feld, wert, spalte, champ, valeur, campo, valor, \
    colonna, valore, veld, waarde, kolom, pole, wartosc";

/// Words for numbers that the application itself gave: never somebody's phone or card.
pub(super) const KEYS: &str = "id, ids, uuid, guid, sku, order no, order number, order nr, \
    invoice no, invoice number, invoice, tracking, tracking number, tracking no, barcode, ean, upc, \
    gtin, isbn, issn, asin, serial, serial number, serial no, serialno, batch, lot, reference, ref, \
    transaction, txn, confirmation number, ticket, case number, po number, purchase order, rowid, \
    pk, fk, seq, sequence, version, build, revision, hash, checksum, md, sha, crc, etag, nonce, \
    milliseconds, bytes, duration, epoch, ts, timestamp, created, updated, modified, deleted, at, \
    price, amount, total, subtotal, cost, qty, quantity, count, balance, size, weight, height, width, \
    length, rating, score, views, likes, stock, inventory, year, month, day, week, hour, minute, \
    second, rank, position, bestellnummer, artikelnummer, rechnungsnummer, auftragsnummer, menge, \
    preis, betrag, anzahl, cantidad, precio, importe, quantite, prix, montant, prezzo, quantita, \
    aantal, prijs, bedrag, ilosc, cena, kwota, objectid, commit, parcel id, container, shipment, \
    session, request, trace, span, correlation, build number, model number, part number, part no, \
    item number, product code, promo, promotion code, coupon, voucher, discount, gift, branch code, \
    store number, isrc, doi, pmid, asset, tail number, flight, number of";

/// Writes a rule in one line.
macro_rules! rule {
    ($kind:ident, $strength:ident, $name:literal, $phrases:literal) => {
        Rule {
            kind: Kind::$kind,
            strength: Strength::$strength,
            name: $name,
            scheme: None,
            phrases: $phrases,
        }
    };
    ($scheme:literal, $name:literal, $phrases:literal) => {
        Rule {
            kind: Kind::NationalId,
            strength: Strength::Strong,
            name: $name,
            scheme: Some($scheme),
            phrases: $phrases,
        }
    };
}

/// The rules. Where two have one phrase the first counts.
pub(super) const RULES: &[Rule] = &[
    // Contact.
    rule!(
        Email,
        Strong,
        "email",
        "email, e mail, youxiang, dianzi youjian, elektronnaya pochta, pochta, imeyl, eml addr, emal, email address, mail address, emailaddr, email addr, eml, \
        email adresse, mailadresse, emailadres, courriel, adresse email, adresse mail, adresse courriel, \
        correo, correo electronico, direccion de correo, e postadress, epost, e post, sahkoposti, eposta, \
        e posta, e pasts, elpastas, posta elettronica, indirizzo email, endereco de email, email id, \
        mail id, emailid, mailid, adres email, poczta, электронная почта, почта, эл почта, имейл, \
        ηλεκτρονικη διευθυνση, ηλεκτρονικο ταχυδρομειο, البريد الالكتروني, البريد الإلكتروني, ईमेल, \
        邮箱, 郵箱, 电子邮件, 電子郵件, 电邮, 电子邮箱, メール, メールアドレス, 電子メール, 이메일, 메일, \
        from email, to email, reply to, replyto, contact email, work email, useremail, email to, email from"
    ),
    rule!(Email, Medium, "mail", "mail, mailbox, email contact, contact mail, cc address"),
    rule!(
        Phone,
        Strong,
        "phone",
        "phone, phne, dianhua, shouji, shoujihao, lianxi dianhua, denwa, denwa bango, jeonhwa, hatif, jawwal, nomer telefona, telephone, tel, tlf, tlph, phone nbr, phone number, phone no, phone nr, phone num, \
        tel no, tel nr, telno, telnr, mobile, mobile phone, mobile number, mobile no, mobilenumber, \
        cell phone, cellphone, cell number, home phone, work phone, business phone, office phone, \
        day phone, evening phone, daytime phone, phone home, phone work, phone mobile, phone main, \
        msisdn, fax, fax number, fax no, telefax, contact number, contact no, contact phone, \
        whatsapp, whatsapp number, sms number, landline, phn, ph no, phno, ph num, telephone number, \
        telefon, telefonnummer, telefonnr, telnummer, rufnummer, handy, handynummer, mobil, mobilnummer, \
        mobiltelefon, festnetz, faxnummer, portable, tel portable, tel fixe, telephone fixe, telephone portable, telephone mobile, \
        numero de telephone, num tel, numtel, no tel, notel, telefono, telefono movil, telefono fijo, \
        celular, numero de telefono, movil, cellulare, numero di telefono, recapito telefonico, \
        telefone, telemovel, numero de telefone, telefoon, telefoonnummer, mobiel, mobiele nummer, gsm, \
        telefonszam, puhelin, puhelinnumero, matkapuhelin, komorka, numer telefonu, telefoni, simi, \
        cep telefonu, telpon, nomor telepon, no hp, nohp, so dien thoai, dien thoai, \
        телефон, номер телефона, мобильный, мобильный телефон, факс, тел, τηλεφωνο, κινητο, κινητο τηλεφωνο, \
        هاتف, الهاتف, رقم الهاتف, جوال, الجوال, موبايل, फ़ोन, फोन, मोबाइल, दूरभाष, मोबाइल नंबर, \
        电话, 電話, 手机, 手機, 手机号, 手机号码, 电话号码, 联系电话, 電話番号, 携帯, 携帯電話, 携帯番号, \
        전화, 전화번호, 휴대폰, 핸드폰, 연락처"
    ),
    rule!(
        Phone,
        Medium,
        "phone",
        "cell, ph, call number, caller, callee, called number, calling number, \
        caller number, dialed number, phones, tele, contact tel, mob, mob no, mobno"
    ),
    // Persons.
    rule!(
        FirstName,
        Strong,
        "first name",
        "first name, firstname, nome battesimo, nome di battesimo, imya, imja, ism, adi, vorn, prenom usuel, nombre propio, fname, f name, first nm, name first, given name, \
        givenname, forename, fore name, christian name, first, middle name, middlename, mname, \
        middle nm, name middle, nickname given, preferred first name, preferred name, maiden first name, \
        vorname, vornamen, rufname, prenom, prenoms, primer nombre, segundo nombre, nombre de pila, \
        nombres, primeiro nome, nome proprio, nome de batismo, voornaam, voornamen, roepnaam, \
        imie, imiona, drugie imie, fornamn, fornavn, etunimi, keresztnev, utonev, krestni jmeno, \
        krstne meno, prenume, nama depan, ten goi, ad soyad ilk, \
        имя, отчество, ονομα, μικρο ονομα, الاسم الأول, الاسم الاول, الاسم الشخصي, पहला नाम, प्रथम नाम, \
        名字, 名前名, 下の名前, 이름첫"
    ),
    rule!(
        LastName,
        Strong,
        "last name",
        "last name, lastname, nom naissance, nachn, familiya, familija, familia, lname, l name, last nm, name last, surname, sur name, \
        sname, family name, familyname, maiden name, maidenname, birth name, second name, \
        nachname, zuname, familienname, geburtsname, nom de famille, nom famille, nom de naissance, \
        nom usage, patronyme, apellido, apellidos, primer apellido, segundo apellido, apellido paterno, \
        apellido materno, cognome, sobrenome, apelido, ultimo nome, achternaam, familienaam, \
        nazwisko, efternamn, efternavn, etternavn, sukunimi, vezeteknev, csaladnev, prijmeni, \
        priezvisko, prezime, nume de familie, soyad, soyadi, soyisim, nama belakang, ho dem, \
        mothers maiden name, mother maiden name, фамилия, επωνυμο, επιθετο, اسم العائلة, الاسم الأخير, \
        اللقب, उपनाम, कुलनाम, अंतिम नाम, 姓, 姓氏, 名字姓, 성씨, last"
    ),
    rule!(FirstName, Weak, "given name", "ad, mei, ming, 名"),
    rule!(LastName, Weak, "family name", "sei, ho, xing"),
    rule!(Gender, Weak, "gender", "pol"),
    rule!(
        PersonName,
        Strong,
        "person name",
        "full name, fullname, xingming, shimei, namae, ireum, seongmyeong, fio, polnoe imya, yetkili kisi, yetkili, kontaktperson, contactname, lianxiren, shoujianren, full nm, fullnm, person name, \
        customer name, cust nm, cust name, emp nm, client nm, patient nm, emp name, contact person, \
        contact name, cardholder, card holder, name on card, nameoncard, card name, account holder, \
        account name holder, holder name, account owner, registered owner, real name, complete name, \
        legal first last, next of kin, emergency contact, emergency contact name, assigned doctor name, \
        maiden, fathers name, mothers name, father name, mother name, spouse name, \
        vor und nachname, vollstandiger name, vollername, ansprechpartner, ansprechperson, karteninhaber, \
        kontoinhaber, sachbearbeiter, nom complet, nom et prenom, nom prenom, nom prenoms, titulaire, \
        nombre completo, nombre y apellidos, nombre y apellido, nombre apellidos, titular de la tarjeta, \
        nome completo, nome e cognome, nome cognome, nominativo, intestatario, referente, \
        volledige naam, contactpersoon, imie i nazwisko, imie nazwisko, fullstandigt namn, fulde navn, \
        fullt navn, koko nimi, teljes nev, cele jmeno, ad soyad, adi soyadi, adsoyad, nama lengkap, \
        ho ten, ho va ten, hoten, nume complet, фио, полное имя, имя фамилия, ф и о, ονοματεπωνυμο, \
        πληρες ονομα, الاسم الكامل, الاسم كامل, पूरा नाम, व्यक्ति का नाम, \
        姓名, 真实姓名, 氏名, お名前, 名前, 联系人, 聯絡人, 收货人, 收件人, 持卡人, 担当者, 担当者名, контактное лицо, \
        성명, 이름, 고객명, 직원명, 성함"
    ),
    rule!(
        PersonName,
        Medium,
        "person name",
        "display name, displayname, contact, contacto, contatto, kontakt, kontaktni osoba, контакт, контактное лицо, контактна особа, persona de contacto, personne de contact, legal name, \
        beneficiary, recipient, addressee, \
        consignee, signed by, signatory, author name, authors, beneficiary name, \
        customer, employee, patient, passenger, guest, doctor, physician, borrower, \
        tenant, applicant, candidate, attending physician, primary physician, contact first last, \
        billing name, bill to name, shipping name, ship to name, delivery name, invoice name, \
        order name, buyer name, sold to name, hausarzt, arzt, huisarts, medecin, medecin traitant, medico, \
        medico curante, lekarz, lakare, laege, lege, doktor, врач, responsable, responsabile, responsavel, \
        verantwortlicher, verantwoordelijke, encargado, encargada, evaluateur, evaluador, interlocuteur"
    ),
    rule!(
        PersonName,
        Weak,
        "person",
        "author, owner, manager, agent, user, created by, updated by, \
        assigned to, assignee, driver, teacher, instructor, student, client, reviewer, sales rep, \
        salesperson, reported by, approved by, requested by, sender, receiver, buyer, seller, \
        member, person, bearbeiter, kunde, \
        mitarbeiter, 作者, 用户, user display"
    ),
    rule!(
        Company,
        Strong,
        "company",
        "company, company name, organizatsiya, kompaniya, gongsi, gongsi mingcheng, kaisha, kaishamei, hoesa, employeur nom, companyname, comp name, co nm, co name, comp nm, cmp nm, cmpny, cmpny nm, org nm, orgname, organisation, organization, \
        organisation name, organization name, org name, business name, legal entity, trading name, \
        trade name, employer, employer name, supplier name, vendor name, merchant name, corporate name, \
        corporation, account company, firm name, firma, firmenname, unternehmen, unternehmensname, arbeitgeber, \
        firmenbezeichnung, raison sociale, entreprise, nom entreprise, societe, nom societe, employeur, \
        empresa, nombre empresa, razon social, empleador, azienda, ragione sociale, societa, \
        nome azienda, nome da empresa, nome fantasia, razao social, bedrijf, bedrijfsnaam, werkgever, \
        nazwa firmy, foretag, foretagsnamn, virksomhed, virksomhetsnavn, yritys, yrityksen nimi, cegnev, \
        nazev firmy, sirket, sirket adi, perusahaan, nama perusahaan, компания, название компании, \
        организация, работодатель, επωνυμια, εταιρεια, الشركة, اسم الشركة, कंपनी, कंपनी का नाम, \
        公司, 公司名称, 公司名, 企业, 企业名称, 单位名称, 会社, 会社名, 企業名, 勤務先, 회사, 회사명"
    ),
    rule!(
        Company,
        Medium,
        "company",
        "merchant, mrch, mrcht, merch, supp nm, vend nm, customer company, billing company, shipping company, client company, \
        vendor, supplier, ship name, shipname, manufacturer name, account name, bank name, \
        insurance company, insurer, agency name, lieferant, fournisseur, proveedor"
    ),
    // Places.
    rule!(
        PostalAddress,
        Strong,
        "address",
        "address, addresses, dizhi, zhuzhi, jusho, juso, unwan, ulitsa, street address, postal address, home address, \
        mailing address, billing address, shipping address, delivery address, residential address, \
        residence address, work address, physical address, permanent address, current address, \
        address line, addressline, addr line, addr, addrs, adr, street, street name, streetname, street line, \
        bill to address, ship to address, ship address, bill address, full address, \
        street number, house number, house no, houseno, house nr, \
        anschrift, adresse, adressen, postanschrift, strasse, straße, strassenname, str hausnummer, \
        hausnummer, hausnr, rechnungsadresse, lieferadresse, wohnadresse, adresszeile, adresszusatz, \
        adresse postale, rue, voie, complement adresse, numero et rue, adresse ligne, domicile, \
        direccion, domicilio, calle, direccion postal, direccion de envio, direccion facturacion, \
        indirizzo, via, indirizzo di residenza, residenza, numero civico, endereco, morada, rua, \
        logradouro, bairro, adres, straat, straatnaam, huisnummer, postadres, ulica, adres zamieszkania, \
        adress, gatuadress, gata, vej, vejnavn, gateadresse, osoite, katuosoite, lakcim, cim, utca, \
        adresa, ulice, adresi, acik adres, sokak, alamat, alamat rumah, dia chi, \
        адрес, улица, дом адрес, место жительства, διευθυνση, οδος, عنوان, العنوان, الشارع, पता, घर का पता, \
        住所, 地址, 详细地址, 家庭住址, 收货地址, 街道, 番地, 通讯地址, 주소, 도로명주소, 상세주소"
    ),
    rule!(
        PostalAddress,
        Weak,
        "address",
        "location, place of residence, residence, apartment, apt, suite, flat, \
        unit no, building name, district name, neighborhood, neighbourhood, suburb, line one, line two, \
        address text, ship to, bill to, deliver to, origin address, pickup location, dropoff location"
    ),
    rule!(
        City,
        Strong,
        "city",
        "city, cty, gorod, chengshi, localita, shiqu, toshi, dosi, ciudad residencia, city nm, cty nm, twn, city name, cityname, town, town city, city town, municipality, home city, home town, \
        hometown, billing city, shipping city, ship city, birth city, city of birth, place of birth, \
        birth place, birthplace, mail city, locality, suburb city, \
        ort, wohnort, stadt, ortschaft, geburtsort, gemeinde, ortsname, ville, commune, localite, \
        lieu de naissance, lieu naissance, ville de naissance, ville naissance, commune de naissance, commune naissance, geburts ort, \
        luogo nascita, citta di nascita, lugar nacimiento, ciudad de nacimiento, local de nascimento, local nascimento, geboorte plaats, fodelseort, \
        fodested, fodeby, dogum yeri, место рождения, ciudad, poblacion, municipio, localidad, lugar de nacimiento, citta, comune, \
        comune di residenza, luogo di nascita, cidade, municipio nome, localidade, naturalidade, \
        stad, woonplaats, plaats, plaatsnaam, geboorteplaats, gemeente, miasto, miejscowosc, \
        miejsce urodzenia, by navn, postort, poststed, kaupunki, paikkakunta, postitoimipaikka, varos, \
        telepules, mesto, mesto bydliste, oras, sehir, il ilce, dogum yeri, kota, kota lahir, \
        thanh pho, город, населенный пункт, место рождения, πολη, المدينة, مدينة, शहर, नगर, \
        城市, 市, 所在城市, 市区町村, 出生地, 도시, 시군구"
    ),
    rule!(
        Postcode,
        Strong,
        "postcode",
        "postcode, post code, indeks, pochtovyi indeks, youbian, yb, yubin bango, upyeonbeonho, codice avviamento, codice avviamento postale, pc code, postal code, postalcode, postal cd, postalcd, zip, zipcode, \
        zip code, zip cd, zipcd, zip four, zip plus, pincode, pin code, postal, billing zip, shipping zip, \
        plz, postleitzahl, code postal, codepostal, cp postal, codigo postal, cod postal, codpostal, \
        cap postale, codice postale, cep, codigo de enderecamento postal, postnummer, postnr, postinumero, \
        iranyitoszam, kod pocztowy, kodpocztowy, psc, cod postal nume, posta kodu, postakodu, kode pos, \
        kodepos, ma buu chinh, почтовый индекс, индекс, ταχυδρομικος κωδικας, τκ, الرمز البريدي, \
        डाक कोड, पिन कोड, पिनकोड, 邮编, 郵遞區號, 邮政编码, 郵便番号, 우편번호, eircode, postcodes"
    ),
    rule!(Postcode, Weak, "postcode", "cp, cap, pin, zc"),
    rule!(
        GeoPoint,
        Strong,
        "coordinates",
        "latitude, longitude, lat, lng, lon, lat lng, lat lon, latlng, latlon, long lat, \
        geo, geo point, geopoint, geolocation, geo location, gps, gps coordinates, coordinates, coords, \
        coordinate, geohash, geom, breitengrad, langengrad, latitud, longitud, latitudine, longitudine, \
        широта, долгота, 纬度, 经度, 緯度, 経度, 위도, 경도"
    ),
    // Identity.
    rule!(
        DateOfBirth,
        Strong,
        "date of birth",
        "date of birth, dateofbirth, dob, doby, data rozhdeniya, den rozhdeniya, data rozhdenija, shengri, chusheng riqi, csrq, tanjobi, seinengappi, saengnyeon, date naiss, dt naiss, dt nasc, data nasc, nasc, geb, fec nacim, fch nac, birth date, birthdate, birthday, \
        birth day, bday, b day, birth dt, birthdt, born, born on, born at, date birth, dt birth, birth, \
        d o b, dateborn, date born, birth year, year of birth, yob, birthyear, birth month, \
        geburtsdatum, geb datum, gebdatum, geburtstag, gebdat, geboren, geburtsjahr, date de naissance, \
        date naissance, ddn, naissance, ne le, fecha de nacimiento, fecha nacimiento, fechanacimiento, \
        fec nac, fecha nac, nacimiento, f nacimiento, cumpleanos, data di nascita, data nascita, \
        datanascita, nascita, data de nascimento, data nascimento, dt nascimento, nascimento, \
        geboortedatum, geboortedag, gebdat nl, data urodzenia, dataurodzenia, urodziny, fodelsedatum, \
        fodselsdato, fodelsedag, syntymaaika, syntymapaiva, szuletesi datum, datum narozeni, \
        datum narodenia, data nasterii, dogum tarihi, tanggal lahir, tgl lahir, ngay sinh, \
        дата рождения, день рождения, др, ημερομηνια γεννησης, تاريخ الميلاد, जन्म तिथि, जन्मतिथि, \
        生日, 出生日期, 出生年月, 生年月日, 誕生日, 생일, 생년월일"
    ),
    rule!(
        Gender,
        Strong,
        "gender",
        "gender, sex, xingbie, seibetsu, seongbyeol, civilite, geschl, anrede, genero persona, gender identity, geschlecht, sexe, genre personne, sexo, genero, sesso, \
        geslacht, plec, kon, kjonn, sukupuoli, cinsiyet, jenis kelamin, gioi tinh, пол, φυλο, الجنس, लिंग, 性别, 性別, 성별"
    ),
    rule!(
        Passport,
        Strong,
        "passport",
        "passport, pp no, huzhao, pasport, ppno, pport, ppt no, pass no, psprt, passport nbr, passport number, passport no, passport num, passport nr, passportno, \
        passeport, numero de passeport, pasaporte, numero de pasaporte, passaporto, numero passaporto, \
        passaporte, reisepass, reisepassnummer, passnummer, pass nr, paspoort, paspoortnummer, paszport, \
        nr paszportu, numer paszportu, pas numarasi, pasaport, pasaport no, no paspor, ho chieu, паспорт, \
        номер паспорта, серия паспорта, διαβατηριο, جواز السفر, رقم الجواز, पासपोर्ट, 护照, 护照号, 護照, 旅券番号, 여권, 여권번호, \
        travel document, travel document number"
    ),
    rule!(
        DrivingLicence,
        Strong,
        "driving licence",
        "driver license, drivers license, driver licence, drivers licence, \
        driving licence, driving license, driver license number, drivers license number, driving licence number, \
        license number driver, dl number, dl no, dlno, licence no driver, fuhrerschein, fuhrerscheinnummer, \
        permis de conduire, numero permis, licencia de conducir, carnet de conducir, permiso de conducir, \
        patente di guida, numero patente, carta de conducao, cnh, rijbewijs, rijbewijsnummer, prawo jazdy, \
        korkort, forerkort, ehliyet, ehliyet no, sim number driver, водительское удостоверение, 驾驶证, 驾照, 運転免許証, 운전면허, dln"
    ),
    rule!(
        DrivingLicence,
        Medium,
        "driving licence",
        "license number, licence number, license no, licence no"
    ),
    rule!(
        Vehicle,
        Strong,
        "vehicle",
        "license plate, licence plate, plt, plate, lic plate, lic plt, car plate, reg plate, rego, number plate, numberplate, plate number, plate no, \
        plateno, vehicle registration, registration plate, vehicle reg, vin, vin number, chassis number, \
        chassis no, kennzeichen, kfz kennzeichen, nummernschild, fahrgestellnummer, immatriculation, plaque, \
        matricula vehiculo, placa, targa, numero di targa, kenteken, rejestracja, numer rejestracyjny, \
        plaka, nomor polisi, гос номер, госномер, 车牌, 车牌号, 号牌, ナンバープレート, 차량번호"
    ),
    rule!(
        "us_ssn",
        "ssn",
        "ssn, ss number, ssn number, social security, social security number, social security no, \
        socialsecuritynumber, soc sec, socsec, ssn last four, social sec no, ssnum"
    ),
    rule!("us_itin", "itin", "itin, individual taxpayer"),
    rule!("uk_nhs", "nhs number", "nhs, nhs number, nhs no, nhsno"),
    rule!(
        "uk_nino",
        "national insurance number",
        "nino, ni number, national insurance, national insurance number, ni no"
    ),
    rule!(
        "de_steuer_id",
        "steuer-id",
        "steuer id, steuerid, steuernummer, steuer nr, steuernr, steueridentifikationsnummer, idnr, \
        steuer identifikationsnummer, tin de"
    ),
    rule!(
        "de_sv",
        "versicherungsnummer",
        "sozialversicherungsnummer, sv nummer, svnr, sv nr, sozialversicherung, rentenversicherungsnummer, \
        versicherungsnummer"
    ),
    rule!(
        "fr_nir",
        "numéro de sécurité sociale",
        "nir, insee number, numero de securite sociale, securite sociale, num secu, numero secu, nss"
    ),
    rule!(
        "es_nif",
        "nif",
        "nif, dni, nie, dni nie, nif nie, nif cif, documento nacional de identidad, documento de identidad"
    ),
    rule!(
        "it_fiscal_code",
        "codice fiscale",
        "codice fiscale, codicefiscale, cod fiscale, codfiscale, cod fisc, codice fisc"
    ),
    rule!("nl_bsn", "bsn", "bsn, burgerservicenummer, sofinummer, sofi nummer, bsn nummer"),
    rule!(
        "be_nn",
        "rijksregisternummer",
        "rijksregisternummer, rijksregister, numero national, numero de registre national, \
        registre national, niss, insz"
    ),
    rule!("pl_pesel", "pesel", "pesel, numer pesel, nr pesel"),
    rule!(
        "se_personnummer",
        "personnummer",
        "personnummer, pnr, personnr, person nummer, samordningsnummer"
    ),
    rule!("dk_cpr", "cpr", "cpr, cpr nummer, cprnr, cpr nr, cpr number"),
    rule!("no_fodselsnummer", "fødselsnummer", "fodselsnummer, fnr, fodselsnr"),
    rule!("fi_hetu", "henkilötunnus", "hetu, henkilotunnus"),
    rule!("ch_ahv", "ahv", "ahv, ahv nummer, ahvnr, ahv nr, avs, numero avs, navs"),
    rule!("pt_nif", "contribuinte", "contribuinte, numero de contribuinte, nif pt"),
    rule!("br_cpf", "cpf", "cpf, cpf cnpj, cpf number, num cpf, nr cpf"),
    rule!("br_cnpj", "cnpj", "cnpj"),
    rule!("mx_curp", "curp", "curp"),
    rule!("mx_rfc", "rfc", "rfc, rfc clave"),
    rule!("ar_cuit", "cuit", "cuit, cuil, cuit cuil"),
    rule!("cl_rut", "rut", "rut, run chile, rut cliente, rol unico tributario"),
    rule!("co_nit", "cedula", "cedula, numero de cedula, cedula de ciudadania, nit"),
    rule!(
        "cn_resident_id",
        "身份证",
        "身份证, shenfenzheng, shenfenzhenghao, 身份证号, 身份证号码, 身份證, 身份證字號, id card cn, sfz, sfzh, idcard cn"
    ),
    rule!("jp_my_number", "マイナンバー", "マイナンバー, 個人番号, my number, mynumber"),
    rule!(
        "kr_rrn",
        "주민등록번호",
        "주민등록번호, 주민번호, rrn, jumin, resident registration number"
    ),
    rule!(
        "in_aadhaar",
        "aadhaar",
        "aadhaar, aadhar, aadhaar number, aadhar number, aadhar no, aadhaar no, आधार, आधार संख्या, uidai"
    ),
    rule!(
        "in_pan",
        "pan card",
        "pan card, pan number in, pancard, pan no, panno, permanent account number"
    ),
    rule!("in_voter", "voter id", "voter id, epic number, voter card, epic no"),
    rule!("sg_nric", "nric", "nric, nric fin, fin number, nric no"),
    rule!("au_tfn", "tax file number", "tfn, tax file number"),
    rule!("au_medicare", "medicare", "medicare, medicare number, medicare no"),
    rule!("au_abn", "abn", "abn, acn, australian business number"),
    rule!(
        "ca_sin",
        "social insurance number",
        "sin, sin number, social insurance, social insurance number, sin no, nas"
    ),
    rule!("za_id", "south african id", "sa id, sa id number, rsa id, za id"),
    rule!("tr_tckn", "tckn", "tckn, tc kimlik, tc kimlik no, tckimlik, kimlik no, tc no"),
    rule!("il_id", "teudat zehut", "teudat zehut, tehudat zehut, tz il"),
    rule!("ru_inn", "инн", "инн, inn, снилс, snils"),
    rule!("th_id", "thai id", "thai id, thai national id, เลขบัตรประชาชน"),
    rule!(
        NationalId,
        Strong,
        "national id",
        "national id, nationalid, nat id, natid, natl id, nid no, govt id no, nat no, national id number, national identification number, \
        national number, national identity number, identity number, identity card number, id card, \
        id card number, idcard, identity card, identity card no, personal id, personal identification number, \
        personal number, personal no, person id number, citizen id, citizen number, civil id, \
        government id, govt id, gov id, government id number, id number, idnumber, id no, idno, id num, \
        tax id, taxid, tax number, tax no, tax identification number, taxpayer id, taxpayer number, tin, tin number, \
        tax identifier, tax payer id, ein, fein, vat, vat number, vat no, vatno, vat id, vat reg no, vat registration number, \
        ust id, ustid, ust idnr, ustidnr, umsatzsteuer id, tva, numero tva, num tva, siret, siren, partita iva, piva, p iva, \
        btw nummer, btwnummer, kvk, nip, regon, cif, personalausweis, personalausweisnummer, ausweisnummer, \
        ausweis nr, ausweisnr, carte identite, numero carte identite, cni, carta identita, documento identidad, \
        numero de documento, num documento, nro documento, rg, oib, jmbg, cnp, rodne cislo, egn, isikukood, \
        asmens kodas, personas kods, szemelyi szam, emso, egn number, amka, afm, nik, no ktp, ktp, ktp no, \
        cccd, cmnd, emirates id, iqama, iqama number, cnic, nid, nid number, mykad, ic number, ic no, hkid, \
        nin, bvn, ghana card, huduma, kra pin, residence permit, residence permit number, alien number, \
        immigration number, visa number, social number, social id, socialnumber, ssn or tin, α φ μ, αφμ, αμκα, \
        رقم الهوية, الرقم القومي, الهوية الوطنية, राष्ट्रीय पहचान, 证件号, 证件号码, 統一編號, 税号, 纳税人识别号"
    ),
    rule!(
        NationalId,
        Medium,
        "national id",
        "document number, document no, id document, identification, identification number, \
        identification no, nro doc, num doc, doc number, doc no, registration number, registry number"
    ),
    // Payment and money.
    rule!(
        Card,
        Strong,
        "card number",
        "card number, cardnumber, card no, cardno, card num, card nr, cardnum, credit card, creditcard, \
        credit card number, creditcardnumber, creditcardno, cc number, cc no, cc num, ccnumber, ccnum, ccno, ccn, pan, debit card, \
        debit card number, payment card, payment card number, primary account number, credit card no, creditcard number, \
        kartennummer, kreditkarte, kreditkartennummer, karten nr, kartennr, numero de carte, carte bancaire, numero carte, \
        carte de credit, tarjeta, numero de tarjeta, tarjeta de credito, num tarjeta, carta di credito, numero carta, \
        numero do cartao, cartao, cartao de credito, creditcardnummer, kaartnummer, numer karty, karta kredytowa, \
        kortnummer, kredi karti, kart no, kart numarasi, номер карты, карта, 卡号, 信用卡, 信用卡号, カード番号, クレジットカード, 카드번호, 신용카드"
    ),
    rule!(Card, Weak, "card", "card, cc"),
    rule!(
        CardDetail,
        Strong,
        "card detail",
        "cvv, cvc, cvv code, cvc code, cvv two, card cvv, card verification, security code, card code, \
        card security code, cc cvv, cid code, card expiry, card expiration, cc expiry, card exp, cc exp, expiry card, \
        card expiry date, card expiration date, exp month, exp year, card exp month, card exp year, credit card expiry, \
        card pin, card expires, cc expires, kaart vervalt, valid thru, valid through, card valid, gultig bis karte, expiry mm yy, prufziffer karte, kartenprufnummer, cardexpiry, credit card expire, credit card exp"
    ),
    rule!(
        Iban,
        Strong,
        "iban",
        "iban, iban number, iban no, iban code, ibannr, bank iban, bankverbindung, iban nummer, numero iban"
    ),
    rule!(
        BankAccount,
        Strong,
        "bank account",
        "bank account, bank account number, bank account no, bankaccount, account number bank, bank acct, \
        bank acct no, account number, account no, accountnumber, accountno, acct number, acct no, acctno, acct num, acctnum, \
        account num, bban, routing number, routing no, aba number, aba routing, sort code, sortcode, bsb, ifsc, clabe, \
        kontonummer, konto nr, kontonr, bankleitzahl, blz, numero de compte, compte bancaire, rib, cuenta bancaria, numero de cuenta, \
        numero cuenta, conto corrente, numero conto, conta bancaria, numero da conta, conta corrente, rekeningnummer, bankrekening, \
        numer konta, rachunek bankowy, numer rachunku, kontonummer bank, bankkonto, tilinumero, bankszamlaszam, hesap no, \
        no rekening, so tai khoan, номер счета, расчетный счет, банковский счет, бик, 银行账号, 银行卡号, 账号银行, 口座番号, 계좌번호"
    ),
    rule!(
        BankAccount,
        Weak,
        "bank account",
        "bic, swift, swift code, bic swift, swift bic, konto, account, acct"
    ),
    rule!(
        Wallet,
        Strong,
        "wallet",
        "wallet, wallet address, crypto address, bitcoin address, btc address, eth address, ethereum address, \
        crypto wallet, btc, bitcoin, blockchain address, wallet addr"
    ),
    rule!(
        Income,
        Strong,
        "income",
        "salary, base salary, annual salary, monthly salary, income, annual income, monthly income, \
        household income, yearly income, wage, wages, hourly wage, pay rate, payrate, compensation, gross pay, net pay, \
        basic salary, total compensation, bonus amount, net worth, credit score, creditscore, fico, fico score, credit rating score, \
        gehalt, lohn, einkommen, bruttolohn, nettolohn, jahresgehalt, monatsgehalt, salaire, revenu, revenus, salaire brut, \
        salario, sueldo, ingresos, nomina, stipendio, reddito, retribuzione, renda, ordenado, vencimento, salaris, loon, inkomen, \
        wynagrodzenie, pensja, zarobki, lon, lonn, palkka, fizetes, plat mzda, maas, gaji, luong, зарплата, оклад, доход, \
        μισθος, εισοδημα, راتب, الراتب, वेतन, 工资, 薪资, 薪水, 收入, 給与, 年収, 급여, 연봉"
    ),
    rule!(Income, Weak, "income", "bonus, commission, sal, pay, stipend"),
    // Signing in, and devices.
    rule!(
        Username,
        Strong,
        "user name",
        "username, usr, uname, usrname, usr nm, user nm, login id, loginid, user name, userid name, login, login name, loginname, logon, logon name, user login, \
        userlogin, nickname, nick, nick name, screen name, screenname, account login, samaccountname, upn, user principal name, \
        twitter, twitter handle, github username, github login, instagram, skype, skype id, telegram, linkedin, linkedin url, facebook, \
        facebook url, facebook id, wechat, wechat id, line id, discord, social handle, \
        benutzername, benutzerkennung, anmeldename, nom utilisateur, nom d utilisateur, identifiant, pseudo, \
        nombre de usuario, nombre usuario, nome utente, nome de usuario, nome de utilizador, gebruikersnaam, login uzytkownika, \
        nazwa uzytkownika, anvandarnamn, brugernavn, brukernavn, kayttajatunnus, felhasznalonev, uzivatelske jmeno, kullanici adi, \
        nama pengguna, логин, имя пользователя, ονομα χρηστη, اسم المستخدم, उपयोगकर्ता नाम, 用户名, 使用者名稱, 登录名, 账号, 昵称, \
        ユーザー名, ログイン, ニックネーム, 사용자명, 아이디, 닉네임"
    ),
    rule!(Username, Weak, "user name", "handle, alias, user handle, player name, gamertag"),
    rule!(
        Secret,
        Strong,
        "secret",
        "password, passwd, pwd, pass word, password hash, passwordhash, password digest, pass hash, password salt, \
        hashed password, encrypted password, crypted password, password enc, userpassword, user password, pw, pw hash, pass, passphrase, salt, \
        secret, client secret, api key, apikey, api secret, api token, access token, accesstoken, refresh token, refreshtoken, auth token, \
        authtoken, session token, bearer token, private key, privatekey, secret key, secretkey, encryption key, webhook secret, \
        security answer, secret answer, security question answer, security stamp, totp secret, otp secret, mfa secret, two factor secret, \
        two fa secret, reset token, password reset token, remember token, verification token, confirmation token, access key, \
        passwort, kennwort, passwort hash, mot de passe, motdepasse, mdp, contrasena, clave acceso, clave secreta, senha, palavra passe, \
        wachtwoord, haslo, losenord, adgangskode, passord, salasana, jelszo, heslo, parola, sifre, kata sandi, mat khau, пароль, \
        κωδικος προσβασης, كلمة المرور, كلمة السر, पासवर्ड, 密码, 密碼, パスワード, 비밀번호"
    ),
    rule!(Secret, Weak, "secret", "token, credential, credentials, pin code secret, contrasenia"),
    rule!(
        Ip,
        Strong,
        "ip address",
        "ip, ip address, ipaddress, ip addr, ipaddr, ip adresse, client ip, remote ip, source ip, src ip, dst ip, \
        user ip, last login ip, signup ip, login ip, host ip, server ip, ipv4, ipv6, ip v, remote addr, remoteaddr, remote address, x forwarded for, \
        adresse ip, direccion ip, indirizzo ip, endereco ip, ip adres, adres ip, last ip, registration ip, current sign in ip, \
        last sign in ip, peer address, ip 地址, ipアドレス"
    ),
    rule!(
        Mac,
        Strong,
        "mac address",
        "mac, mac address, macaddress, mac addr, macaddr, wifi mac, ethernet address, hardware address, hw address, \
        bluetooth address, bssid, mac adresse, adresse mac, direccion mac, indirizzo mac"
    ),
    rule!(
        DeviceId,
        Strong,
        "device id",
        "imei, imsi, meid, iccid, device id, deviceid, device uuid, device identifier, device token, \
        device fingerprint, browser fingerprint, advertising id, advertiser id, idfa, gaid, idfv, adid, android id, push token, \
        cookie id, visitor id cookie, udid, device serial, handset id, fingerprint, gerate id, 设备号"
    ),
    // Health and other special categories.
    rule!(
        Health,
        Strong,
        "health",
        "diagnosis, diagnoses, primary diagnosis, diagnosis code, diagnosis description, icd, icd code, icd nine, icd ten, \
        blood type, bloodtype, blood group, blood grp, medical history, medical condition, medical conditions, health condition, \
        medical record number, mrn, medical record no, medical record, health insurance number, insurance number health, \
        health card, health card number, health plan number, patient number, patient no, allergies, allergy, \
        disability, disabilities, symptoms, medications, medication list, prescription, prescriptions, treatment, treatment plan, \
        chief complaint, chiefcomplaint, medical notes, clinical notes, hiv status, smoker, pregnancy, pregnant, bmi, vaccination, vaccine status, \
        immunization, test result, lab result, cause of death, mental health, medical license, dea number, npi, insurance id, insurance number, \
        insurance policy number, insurance member id, member id insurance, health id, \
        diagnose, diagnosen, blutgruppe, krankheit, krankheiten, krankenversicherung, krankenversicherungsnummer, vers nr, versnr, versicherten nr, versichertennr, versicherten nummer, \
        versichertennummer, kvnr, kv nr, egk nr, numero assure, numero de asegurado, numero asegurado, nr ubezpieczenia, \
        krankenkasse, allergien, behinderung, groupe sanguin, diagnostic, antecedents, diagnostico, grupo sanguineo, tipo de sangre, \
        alergias, enfermedad, enfermedades, diagnosi, gruppo sanguigno, allergie, malattia, tipo sanguineo, \
        tessera sanitaria, bloedgroep, ziekte, ziekten, diagnoza, grupa krwi, choroba, blodgrupp, sjukdom, veriryhma, kan grubu, \
        golongan darah, диагноз, группа крови, заболевание, болезнь, διαγνωση, ομαδα αιματος, فصيلة الدم, التشخيص, रक्त समूह, निदान, \
        诊断, 血型, 病史, 診断, 血液型, 病名, 진단, 혈액형, 병명"
    ),
    rule!(
        Belief,
        Strong,
        "special category",
        "religion, religious affiliation, faith, denomination, ethnicity, ethnic origin, ethnic group, \
        race ethnicity, race ethnic, racial origin, political party, political affiliation, political opinion, party affiliation, union member, \
        trade union, sexual orientation, nationality, citizenship, caste, tribe, marital status, civil status, criminal record, \
        convictions, religion code, konfession, staatsangehorigkeit, nationalitat, familienstand, nationalite, \
        etat civil, situation familiale, religiao, nacionalidad, nacionalidade, estado civil, religione, cittadinanza, nazionalita, \
        stato civile, religie, geloof, nationaliteit, burgerlijke staat, wyznanie, narodowosc, obywatelstwo, stan cywilny, medborgarskap, \
        nationalitet, uskonto, kansalaisuus, vallas, din, uyruk, agama, kewarganegaraan, religia, nabozenstvi, вероисповедание, религия, \
        национальность, гражданство, семейное положение, θρησκεια, ιθαγενεια, εθνικοτητα, الديانة, الجنسية, धर्म, जाति, राष्ट्रीयता, \
        民族, 宗教, 国籍, 政治面貌, 婚姻状况, 国籍情報, 종교, 국적, 민족"
    ),
    rule!(Belief, Weak, "special category", "race, orientation"),
    // Texts that may hold anything.
    rule!(
        FreeText,
        Weak,
        "notes",
        "notes, note, comment, comments, remark, remarks, memo, message, messages, \
        bemerkung, bemerkungen, notiz, notizen, kommentar, anmerkung, commentaire, commentaires, remarque, remarques, comentario, \
        comentarios, observaciones, observacoes, nota, notas, commento, commenti, osservazioni, opmerking, opmerkingen, \
        uwagi, komentarz, anteckning, anteckningar, bio, biography, about me, feedback, transcript, conversation, chat, \
        complaint, narrative, case notes, internal notes, support notes, special instructions, delivery instructions, \
        примечание, комментарий, заметки, 备注, 備考, メモ, 留言, 비고, 메모"
    ),
];
